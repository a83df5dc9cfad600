"""Where the programs of a check are, what they are told, and for how long they may run."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

PART_SECONDS = 470  # a part stays below 8 minutes on a GPU
REHEARSAL_SECONDS = 3600
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A check's answer is not as it should be; the text says how."""


class Machine:
    def __init__(self, options):
        self.options, self.build, self.device = options, options.build.resolve(), options.device
        self.is_gpu = self.device.startswith("cuda")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ntq-gpu-"))
        # What the user has set for convolutions would make one of two rows the other.
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("NTQ_CUDNN_")}
        self.env.update(NTQ_TEST_DEVICES=self.device, OMP_WAIT_POLICY="passive")
        if self.device.startswith("emulated"):
            self.env["NTQ_BACKEND_PATH"] = str(self.build / "tests/modules")
        self.begin_part()

    def begin_part(self):
        self.end = time.monotonic() + (PART_SECONDS if self.is_gpu else REHEARSAL_SECONDS)

    def seconds_left(self):
        return self.end - time.monotonic()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, command, seconds, **env):
        """Gives the output; Failed with its end."""
        command = [str(part) for part in command]
        name = pathlib.Path(command[0]).name
        seconds = min(seconds, self.seconds_left())
        if seconds < 1:
            raise Failed(f"{name}: not run, the time of this part is over")
        process = subprocess.Popen(command, env={**self.env, **env}, text=True, start_new_session=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{name}: no end within {seconds:.0f} s") from None
        finally:
            if process.poll() is None:  # with what it has started: a sanitizer's program would go on beside other checks
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode != 0:
            raise Failed(f"{name} ended with {process.returncode}: " + end_of(output))
        return output

    def training(self, name, device, *options):
        """The command of a short training, and the folder of its files."""
        folder = self.folder / name
        command = [self.build / "apps/ntq-train", "synthetic", "resnet20", "--device", device, "--seed", "3",
                   "--epochs", "1", "--batch-size", "16", "--limit-val", "64", "--stats-every", "1", "--output", folder]
        return [str(part) for part in [*command, *options]], folder

    def train(self, name, device, *options):
        """Trains, and gives the folder of its files."""
        command, folder = self.training(name, device, *options)
        self.run(command, 240)
        return folder

    def cases(self, suite, pattern, seconds, before=(), **env):
        """Runs doctest cases, behind the words `before`; gives how many assertions held."""
        program = self.build / f"tests/ntq_{suite}_tests"
        output = self.run([*before, program, f"-tc={pattern}"], seconds, **env)
        counted = re.search(r"test cases: +(\d+) \|.*\n.*assertions: +(\d+)", output)
        if not counted or counted.group(1) == "0":
            raise Failed(f"{program.name} has no case {pattern}")
        return f"{counted.group(2)} assertions"


def last_json(output):
    """The object that a program printed last."""
    lines = output.strip().splitlines()
    return json.loads("\n".join(lines[max(i for i, line in enumerate(lines) if line.startswith("{")):]))


def end_of(output):
    errors = [line.strip() for line in output.splitlines() if "ERROR" in line or "values:" in line or "error:" in line]
    return " | ".join((errors or output.strip().splitlines()[-3:])[:3])[:400]
