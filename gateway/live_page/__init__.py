"""The live page: what a person sees of a terminal in a browser, and how the browser signs in."""
