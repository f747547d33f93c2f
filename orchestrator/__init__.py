"""Customer journeys written as files, run durably: lint, test, simulate, explain and operate them."""

__version__ = "0.1.0"
