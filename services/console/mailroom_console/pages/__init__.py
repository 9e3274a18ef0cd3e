"""The console's web pages. `mounting` puts them together.

It is not imported here: what draws strangers' files in a process of its own stands in this package, and would load the
whole console there (2 s, 100 MB).
"""
