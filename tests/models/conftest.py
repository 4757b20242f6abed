import torch

torch.set_num_threads(1)  # these networks are too small to share out
