"""Thousands of mixed requests; memory and files must stay flat."""
