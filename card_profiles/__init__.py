"""Card products, one TOML file each: intent only."""
