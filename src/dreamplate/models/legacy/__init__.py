"""Reading of torch, pickle and numpy weight files without trusting them.

``load`` starts a capped child process; in it ``child`` locks itself, ``reader`` recognises the format,
``machine`` turns pickles into inert values, ``vocabulary`` gives the few known names their meaning,
``flatten`` names the tensors, ``archive`` and ``npy`` prove zip files and numpy headers.
"""
