"""The world → the lake. Each subpackage reads one kind of source and lands facts; none computes a charge."""
