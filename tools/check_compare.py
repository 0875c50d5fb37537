#!/usr/bin/env python3
"""Computes the figures of `bantam compare` again, from its records, in float64.

    bantam compare REFERENCE MODEL... --save-reference ref.safetensors --save-records DIR --json ... > compare.json
    tools/check_compare.py compare.json ref.safetensors DIR [--weights]

With --weights, what the files take and have lost is computed from the files themselves, `.bantam` all of them, by the reader in
examples/. Needs numpy, safetensors and scikit-image. Exit code 1 where a figure is off by more than 1e-6 of itself.
"""
import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from skimage.metrics import structural_similarity

TOLERANCE = 1e-6


class Record:
    """What a model made, by subject."""

    def __init__(self, path):
        self.file = safe_open(str(path), "np")
        self.names = list(self.file.keys())
        self.settings = json.loads(bytes(self.file.get_tensor("settings")))

    def subjects(self, kind):
        found = {name.split("/")[0] for name in self.names if name.startswith(kind + ".")}
        return sorted(found, key=lambda name: int(name.split(".")[1]))

    def has(self, name):
        return name in self.names

    def get(self, name):
        return self.file.get_tensor(name)

    def logits(self, subject):
        rows = sorted((n for n in self.names if n.startswith(subject + "/logits/")), key=lambda n: int(n.split("/")[2]))
        return np.concatenate([self.get(n) for n in rows]).astype(np.float64) if rows else None

    def states(self, phase):
        """By step, the states of all subjects end to end."""
        found = {}
        for subject in self.subjects("painting"):
            for name in self.names:
                parts = name.split("/")
                if parts[0] == subject and len(parts) == 4 and parts[1] == "state" and parts[2] == phase:
                    found.setdefault(int(parts[3]), []).append(self.get(name).astype(np.float64))
        return {step: np.concatenate(values) for step, values in found.items()}


def log_softmax(x):
    top = x.max(-1, keepdims=True)
    return x - top - np.log(np.exp(x - top).sum(-1, keepdims=True))


def decibels(signal, error):
    return np.inf if error == 0 else 10 * np.log10(signal / error)


def language(reference, model, kind):
    """Figures of the logits of one kind of subject."""
    documents, surprises, own, top1, top5 = [], [], [], [], []
    for subject in reference.subjects(kind):
        a = reference.logits(subject)
        if a is None:
            continue
        p, q = log_softmax(a), log_softmax(model.logits(subject))
        documents.append((np.exp(p) * (p - q)).sum(-1))
        first = p.argmax(-1)
        top1.append(q.argmax(-1) == first)
        order = np.argsort(-q, axis=-1, kind="stable")[:, :5]
        top5.append((order == first[:, None]).any(-1))
        tokens = reference.get(subject + "/tokens") if reference.has(subject + "/tokens") else None
        if kind != "painting" and tokens is not None:
            targets = tokens[1:] if kind == "text" else tokens
            rows = np.arange(min(len(targets), len(p)))
            surprises.append(-p[rows, targets[rows]])
            own.append(-q[rows, targets[rows]])
    if not documents:
        return None
    flat = np.concatenate(documents)
    figures = {
        "documents": len(documents), "positions": len(flat), "mean_kl": flat.mean(), "median_kl": np.median(flat),
        "max_kl": flat.max(), "top1_agreement": np.concatenate(top1).mean(),
        "top5_agreement": np.concatenate(top5).mean(),
    }
    if len(documents) > 1:
        residual = np.array([d.sum() - len(d) * flat.mean() for d in documents])
        count = len(documents)
        figures["mean_kl_standard_error"] = np.sqrt(count / (count - 1) * (residual ** 2).sum()) / len(flat)
    for name, part in (("p90_kl", 0.9), ("p99_kl", 0.99), ("p99_9_kl", 0.999)):
        figures[name] = np.quantile(flat, part) if (1 - part) * len(flat) >= 10 - 1e-9 else None
    if surprises:
        figures["perplexity"] = np.exp(np.concatenate(own).mean())
        figures["reference_perplexity"] = np.exp(np.concatenate(surprises).mean())
    return figures


def picture(a, b):
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    return {
        "psnr_db": decibels(255.0 ** 2, ((a64 - b64) ** 2).mean()),
        "ssim": structural_similarity(
            a, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255),
        "largest_error": int(abs(a64 - b64).max()), "changed_pixels": int((a != b).any(-1).sum()),
    }


def weights(reference_path, path):
    """What a file takes, and what its weights have lost beside another's."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
    from bantam_reader import BantamFile

    def values(file, tensor):
        data = file.plain_bytes(tensor)
        if tensor["dtype"] == "BF16":
            return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        return np.frombuffer(data, {"F32": np.float32, "F16": np.float16}[tensor["dtype"]]).astype(np.float64)

    a, b = BantamFile(reference_path, False), BantamFile(path, False)
    known = {tensor["name"]: tensor for tensor in a.tensors}
    stored = [tensor for tensor in b.tensors if not tensor["alias"]]
    signal = error = 0.0
    for tensor in b.tensors:
        if tensor["name"] in known:
            x, y = values(a, known[tensor["name"]]), values(b, tensor)
            signal, error = signal + (x ** 2).sum(), error + ((x - y) ** 2).sum()
    size = sum(plane["size"] for tensor in stored for plane in tensor["planes"])
    count = sum(math.prod(tensor["shape"]) for tensor in stored)
    return {"bytes": size, "bits_per_weight": 8 * size / count, "weight_sqnr_db": decibels(signal, error)}


class Check:
    def __init__(self):
        self.count, self.faults, self.worst = 0, 0, 0.0

    def hold(self, place, found, expected):
        """A figure of the document beside the one that was computed here. Near zero, divergences are held to the rounding of f64."""
        self.count += 1
        if expected is None or found is None:
            error = 0.0 if expected is None and found is None else np.inf
        else:
            found = float(found)
            if np.isinf(expected) or np.isinf(found):
                error = 0.0 if found == expected else np.inf
            else:
                error = abs(found - expected) / max(abs(expected), 1e-9)
        self.worst = max(self.worst, error)
        if error > TOLERANCE:
            self.faults += 1
            print(f"{place}: {found}, here {expected}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("document")
    parser.add_argument("reference")
    parser.add_argument("records")
    parser.add_argument("--weights", action="store_true")
    arguments = parser.parse_args()
    document = json.loads(Path(arguments.document).read_text())
    reference = Record(arguments.reference)
    models = {}
    for path in sorted(Path(arguments.records).glob("*.safetensors")):
        record = Record(path)
        models[record.settings["name"], record.settings["compute"]] = record
    check = Check()
    for row in document.get("language", []):
        kind = {"texts": "text", "answers": "answer", "prompts": "painting"}[row["kind"]]
        model = models.get((row["name"], row["compute"]), reference)
        figures = language(reference, model, kind)
        for key, expected in figures.items():
            check.hold(f"{row['name']} {row['compute']} {kind} {key}", row[key], expected)
    for row in document.get("drift", []):
        a = reference.states(row["phase"])[row["step"] - 1]
        b = models[row["name"], row["compute"]].states(row["phase"])[row["step"] - 1]
        place = f"{row['name']} {row['phase']} {row['step']}"
        check.hold(place, row["sqnr_db"], decibels((a ** 2).sum(), ((a - b) ** 2).sum()))
        check.hold(place + " max_abs", row["max_abs"], abs(a - b).max())
    for row in document.get("pictures", []):
        name = row["subject"] + "/picture"
        figures = picture(reference.get(name), models[row["name"], row["compute"]].get(name))
        for key, expected in figures.items():
            check.hold(f"{row['name']} {row['subject']} {key}", row[key], expected)
    for row in document["models"]:
        model = models.get((row["name"], row["compute"]))
        pictures = [] if model is None else reference.subjects("painting")
        if pictures:
            errors = [
                ((reference.get(s + "/picture").astype(float) - model.get(s + "/picture").astype(float)) ** 2).mean()
                for s in pictures
            ]
            check.hold(f"{row['name']} psnr_db", row["psnr_db"], decibels(255.0 ** 2, np.mean(errors)))
            similar = [picture(reference.get(s + "/picture"), model.get(s + "/picture")) for s in pictures]
            check.hold(f"{row['name']} ssim", row["ssim"], np.mean([p["ssim"] for p in similar]))
            check.hold(f"{row['name']} lowest_ssim", row["lowest_ssim"], min(p["ssim"] for p in similar))
            check.hold(f"{row['name']} lowest_psnr_db", row["lowest_psnr_db"], min(p["psnr_db"] for p in similar))
        if arguments.weights:
            for key, expected in weights(document["models"][0]["path"], row["path"]).items():
                check.hold(f"{row['name']} {key}", row[key], expected)
    print(f"{check.count} figures, {check.faults} off by more than {TOLERANCE:g} of themselves; worst {check.worst:.1e}")
    return 1 if check.faults else 0


sys.exit(main())
