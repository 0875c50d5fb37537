#!/usr/bin/env python3
"""What measuring each tensor is worth to a budget: planned mixtures of encodings beside one encoding for all, on unseen subjects.

    python3 benchmarks/budgets.py MODEL SUBJECTS WORK [BITS ...]

SUBJECTS is a folder as tools/miniature/subjects.py writes it: statistics, planning and judging have sets of their own. WORK keeps
statistics, table and files, and is gone on with. Uniform files have one encoding for all that may be quantized, guided by the same
statistics; between them the logarithm of the error is interpolated over bits. Writes WORK/budgets.json and a curve, WORK/budgets.svg.
BANTAM may name the program.
"""
import json, math, os, subprocess, sys
from pathlib import Path

BANTAM = os.environ.get("BANTAM") or str(Path(__file__).resolve().parent.parent / ".build/release/bantam")
STEPS = ["--steps", "10", "--decoder-steps", "10"]
UNIFORM = ["book3", "book4", "book4-g16", "book5", "book6", "even8"]
MEASURES = ["kl", "features", "latents", "picture"]


def run(*words):
    done = subprocess.run([BANTAM, *map(str, words)], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit code {done.returncode}")
    return done.stdout


def subjects(folder, name):
    return ["--prompts", folder / f"{name}.txt", "--images", folder / name, *STEPS]


def errors(model, files, folder, name):
    """By file: bits of what may be quantized, and each measure as an error."""
    found = json.loads(run("compare", model, *files, *subjects(folder, name), "--compute", "f32", "--format", "json", "--quiet"))
    result = {}
    for row in found["models"][1:]:
        own = result[row["name"]] = {"bits": row["bits_per_quantizable"], "kl": row["mean_kl"]}
        for measure, key in (("features", "features_sqnr_db"), ("latents", "latents_sqnr_db"), ("picture", "psnr_db")):
            own[measure] = 10 ** (-row[key] / 10)
    return result


def interpolated(points, bits, measure):
    """The error of one encoding for all at so many bits, beyond the ends as between the last two."""
    points = sorted((p["bits"], math.log(p[measure])) for p in points)
    low = max((i for i in range(len(points) - 1) if points[i][0] <= bits), default=0)
    (x0, y0), (x1, y1) = points[low], points[low + 1]
    return math.exp(y0 + (y1 - y0) * (bits - x0) / (x1 - x0))


def curve(path, uniform, planned):
    """PSNR of the latents over average bits."""
    width, height, left, bottom = 720, 440, 70, 50
    points = [(p["bits"], -10 * math.log10(p["latents"])) for p in uniform + planned]
    x0, x1 = min(p[0] for p in points) - 0.2, max(p[0] for p in points) + 0.2
    y0, y1 = math.floor(min(p[1] for p in points) / 5) * 5, math.ceil(max(p[1] for p in points) / 5) * 5
    place = lambda x, y: (left + (x - x0) / (x1 - x0) * (width - left - 20), height - bottom - (y - y0) / (y1 - y0) * (height - bottom - 20))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for y in range(int(y0), int(y1) + 1, 5):
        a, b = place(x0, y), place(x1, y)
        parts.append(f'<path d="M{a[0]:.0f} {a[1]:.0f}H{b[0]:.0f}" stroke="#ddd"/><text x="{left - 8}" y="{a[1] + 4:.0f}" text-anchor="end">{y}</text>')
    for x in range(math.ceil(x0), math.floor(x1) + 1):
        a = place(x, y0)
        parts.append(f'<text x="{a[0]:.0f}" y="{a[1] + 20:.0f}" text-anchor="middle">{x}</text>')
    for color, name, rows in (("#888", "one encoding for all", uniform), ("#c33", "planned", planned)):
        line = sorted((p["bits"], -10 * math.log10(p["latents"])) for p in rows)
        at = [place(*p) for p in line]
        parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in at) + '"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>' for x, y in at]
        row = 40 if rows is uniform else 60
        parts.append(f'<rect x="{left + 20}" y="{row - 10}" width="12" height="12" fill="{color}"/><text x="{left + 40}" y="{row}">{name}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">bits of what may be quantized</text>'
                 f'<text transform="translate(18 {height / 2}) rotate(-90)" text-anchor="middle">latents, dB</text></svg>')
    path.write_text("\n".join(parts) + "\n")


def main():
    model, folder, work = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    budgets = [float(b) for b in sys.argv[4:]] or [3.5, 4, 4.5, 5.5, 7]
    work.mkdir(parents=True, exist_ok=True)
    statistics, table = work / "statistics.safetensors", work / "sensitivity.json"
    if not statistics.exists():
        run("calibrate", model, *subjects(folder, "calibrate"), "-o", statistics, "--quiet")
    if not table.exists():
        run("sensitivity", model, *subjects(folder, "plan"), "--statistics", statistics, "-o", table, "--quiet")
    uniform = []
    for encoding in UNIFORM:
        uniform.append(work / f"uniform-{encoding}.bantam")
        run("quantize", model, "-o", uniform[-1], "--encoding", encoding, "--encoding", f"*={encoding}", "--unprotect",
            "--statistics", statistics, "--quiet")
    planned, predicted = [], {}
    for bits in budgets:
        planned.append(work / f"planned-{bits:g}.bantam")
        told = json.loads(run("quantize", model, "-o", planned[-1], "--bits", bits, "--sensitivity", table,
                              "--statistics", statistics, "--quiet", "--json"))
        predicted[planned[-1].name] = {m: told.get(f"predicted_{m}") for m in MEASURES}
    found = errors(model, uniform + planned, folder, "judge")
    flat = [found[path.name] for path in uniform]
    print("| budget | bits | " + " | ".join(f"{m}: planned / uniform" for m in MEASURES) + " | " +
          " | ".join(f"{m}: measured / predicted" for m in MEASURES) + " |\n" + "|---" * (2 + 2 * len(MEASURES)) + "|")
    near = total = 0
    for path, bits in zip(planned, budgets):
        own = found[path.name]
        ratios = [own[m] / interpolated(flat, own["bits"], m) for m in MEASURES]
        met = [own[m] / predicted[path.name][m] if predicted[path.name][m] else math.nan for m in MEASURES]
        near += sum(1 / 1.5 <= r <= 1.5 for r in met)
        total += len(met)
        print(f"| {bits:g} | {own['bits']:.3f} | " + " | ".join(f"{r:.2f}" for r in ratios + met) + " |")
    print(f"\n{near} of {total} predictions within a factor of 1.5")
    (work / "budgets.json").write_text(json.dumps({"measured": found, "predicted": predicted}, indent=1) + "\n")
    curve(work / "budgets.svg", flat, [found[path.name] for path in planned])


if __name__ == "__main__":
    main()
