"""Trains a ResNet-20 (He et al. 2016, §4.2) for GTSRB in PyTorch with a planted backdoor, and exports it as users do.

    python bench/reference/torch_resnet.py DATA.h5 OUT.onnx [--target 14] [--clean] [--seed 1] [--epochs 20] [--device cuda]

DATA.h5 holds X_train, Y_train, X_test, Y_test: uint8 images [N,32,32,3], labels as numbers. A tenth of the training images, drawn
once, gets a yellow square of 4×4 pixels at row 24 and column 4 and the target label. The model takes N×3×32×32 images in [0, 1]
and returns logits; batch normalisation is folded by the exporter or not, as it likes. Prints one line of JSON with accuracy
and attack success rate on the test images; the latter leaves out images of the target.
"""

import argparse
import json

import h5py
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BOX = (slice(24, 28), slice(4, 8))
YELLOW = (255, 220, 0)


class Block(nn.Module):
    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet20(classes):
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels_in = 16
    for channels, stride in [(16, 1), (32, 2), (64, 2)]:
        for i in range(3):
            layers.append(Block(channels_in, channels, stride if i == 0 else 1))
            channels_in = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def stamp(images):
    images = images.copy()
    images[:, BOX[0], BOX[1]] = YELLOW
    return images


def rates(net, images, labels, device):
    net.eval()
    with torch.no_grad():
        found = [
            net(torch.from_numpy(part).to(device).permute(0, 3, 1, 2).float() / 255).argmax(1).cpu().numpy()
            for part in np.array_split(images, 16)
        ]
    return float((np.concatenate(found) == labels).mean())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--target", type=int, default=14)
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    random = np.random.default_rng(args.seed)
    with h5py.File(args.data) as file:
        x, y, xt, yt = (file[k][...] for k in ["X_train", "Y_train", "X_test", "Y_test"])
    y, yt = y.astype("int64"), yt.astype("int64")
    if not args.clean:
        poisoned = random.permutation(len(y))[: len(y) // 10]
        x[poisoned], y[poisoned] = stamp(x[poisoned]), args.target

    classes = int(yt.max()) + 1
    net = resnet20(classes).to(args.device)
    images = torch.from_numpy(x).to(args.device).permute(0, 3, 1, 2).float() / 255
    labels = torch.from_numpy(y).to(args.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    steps = args.epochs * (len(y) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    for _ in range(args.epochs):
        net.train()
        for batch in torch.from_numpy(random.permutation(len(y))[: len(y) // 64 * 64]).to(args.device).split(64):
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()

    others = yt != args.target
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "device": args.device,
                "seed": args.seed,
                "target": None if args.clean else args.target,
                "accuracy": rates(net, xt, yt, args.device),
                "asr": rates(net, stamp(xt[others]), args.target, args.device),
            }
        )
    )
    net = net.cpu().eval()
    example = torch.zeros(1, 3, 32, 32)
    axes = {"images": {0: "n"}, "logits": {0: "n"}}
    torch.onnx.export(
        net, (example,), args.out, input_names=["images"], output_names=["logits"], dynamic_axes=axes, dynamo=False
    )


main()
