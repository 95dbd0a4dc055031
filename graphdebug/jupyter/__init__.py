"""The Jupyter server's extension: the steps of its kernels, for a sidebar."""
