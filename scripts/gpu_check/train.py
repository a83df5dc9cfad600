"""train: Table 1's rows on ResNet-18 and CIFAR-100 (full precision, LSQ, NTQ at 2, 4 and 8 bits), as far as the minutes
allow; the same command goes on from there, to the same bits. The table says how far all is."""
import signal
import subprocess
import time

from gpu_check.machine import ROOT, Failed, last_json

TABLE = ROOT / "sweeps/gpu-table1.json"
SMALL = ["synthetic", "resnet20", "--limit-train", "64", "--limit-val", "32", "--batch-size", "16", "--epochs", "1",
         "--bits", "4"]  # to rehearse


def command_of(machine):
    options, sweep = machine.options, machine.build / "apps/ntq-sweep"
    words = [sweep, TABLE, "--device", machine.device, "--precision", options.precision, "--output", options.runs]
    if options.precision != "fp32":
        words += ["--name", f"paper-cifar-{options.precision}"]
    if machine.is_gpu and options.data_dir is None:
        raise Failed("--data-dir: expected the folder of CIFAR-100, found nothing")
    if options.data_dir is None:
        return [str(word) for word in [*words, *SMALL]]
    return [str(word) for word in [*words, "--data-dir", options.data_dir.resolve(), "--save-every", "100"]]


def rows(machine):
    command = command_of(machine)
    log = machine.folder / "sweep.txt"
    with open(log, "w") as out:
        process = subprocess.Popen([*command, "--quiet"], env=machine.env, stdout=out, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60 * machine.options.minutes
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if process.poll() is None:  # the trainings save and end
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed("ntq-sweep did not end within a minute of a SIGTERM") from None
    if code not in (0, 143):
        raise Failed(f"ntq-sweep ended with {code}: " + " | ".join(log.read_text().strip().splitlines()[-2:])[:400])
    machine.begin_part()  # the minutes are the user's
    answer = last_json(machine.run([*command, "--table", "--json"], 60))
    words = [f"{answer['done']} of {answer['done'] + answer['open'] + answer['failed']} trainings done"]
    for row in answer["rows"]:
        if row["top1"]["n"] > 0:
            column = " ".join(str(value) for value in row["column"].values())
            paper = f" [{row['paper']['top1']}]" if "paper" in row else ""
            words.append(f"{row['row']} {column} {row['top1']['mean']:.2f}{paper}")
    return "; ".join(words), answer


CHECKS = {"Table 1, ResNet-18 on CIFAR-100": rows}
