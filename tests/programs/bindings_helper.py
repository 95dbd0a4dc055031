def double(x):
    return x * 2.0  # @helper
