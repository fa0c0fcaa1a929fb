"""The products that can be tested, one folder each: how to install, start, break and talk to them."""
