"""What travels: requests as they are parsed, responses as the OpenAPI document describes them."""
