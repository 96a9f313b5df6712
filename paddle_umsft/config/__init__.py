"""The configuration: typed, closed sections, and their reading from YAML. Knows no method."""
