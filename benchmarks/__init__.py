"""What README and docs claim about speed and cost, measured again by `make bench`."""
