"""GlobalPlatform card management (GPC Card Specification 2.3.1): identification, key replacement, card life cycle."""
