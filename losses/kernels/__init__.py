"""Tiles of the table of all pairs as Triton kernels, for CUDA devices.

``phi`` has the functions of a haversine, ``tile`` the two kernels. They are imported where triton
is (``losses/pairwise/fused.py``) and by nobody else.
"""
