"""One container as a kubelet has crun start it for a hardened pod (examples/kubernetes/executor.yaml), without the
cluster: the image's files, a user that /etc/passwd doesn't know, a root file system that is read-only, volumes that
everybody can write to, and a quota of CPU time."""

import json
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from counterparts import require
from kubernetes.daemons import HOME, ROOT, environment
from kubernetes.image.pack import ENVIRONMENT

USER = 10001
SECONDS = 250.0     # on a machine that is busy with other things
PERIOD = 100_000    # microseconds, Kubernetes' own
CGROUPS = Path("/sys/fs/cgroup")
# crun wants control groups of one version alone.
START = ('ip link set lo up; if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi; '
         'exec crun run --bundle "$@"')


def run_container(folder: Path, command: Sequence[str], cpus: float, volumes: Mapping[str, Path],
                  environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the image's entry point with this command to its end; stdout has all that it prints. `cpus`: 0 for no quota;
    `volumes`: what is mounted where, beside an empty /tmp."""
    require("Spark's image", (HOME / "rootfs/opt/entrypoint").exists() and (ROOT / "usr/bin/crun").exists(),
            "tests/kubernetes/install")
    name = f"sparkminer-test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    (folder / "hosts").write_text("127.0.0.1 localhost pod\n")
    everywhere = {"/etc/hosts": folder / "hosts", **volumes}
    (folder / "config.json").write_text(json.dumps(_specification(name, command, cpus, everywhere, environ)))
    try:
        return subprocess.run(
            ["unshare", "--fork", "--pid", "--mount", "--mount-proc", "--kill-child", "--net", "--ipc", "--uts",
             "sh", "-c", START, "sh", str(folder), name], env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
    finally:
        for group in CGROUPS.glob(f"*/{name}"):
            group.rmdir()


def _specification(name: str, command: Sequence[str], cpus: float, volumes: Mapping[str, Path],
                   environ: Mapping[str, str]) -> dict[str, object]:
    """The runtime's configuration (OCI runtime specification, 1.0)."""
    words = [*ENVIRONMENT, *(f"{key}={value}" for key, value in environ.items())]
    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
              {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777"]},
              {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
              {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
              {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=2777"]},
              *({"destination": place, "type": "bind", "source": str(path), "options": ["rbind"]}
                for place, path in volumes.items())]
    quota = {"cpu": {"quota": int(cpus * PERIOD), "period": PERIOD}} if cpus else {}
    return {"ociVersion": "1.0.2", "hostname": "pod", "mounts": mounts,
            "root": {"path": str(HOME / "rootfs"), "readonly": True},
            "process": {"user": {"uid": USER, "gid": USER}, "cwd": "/opt/spark/work-dir", "env": words,
                        "args": ["/opt/entrypoint", *command], "noNewPrivileges": True, "capabilities": {}},
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
                      "cgroupsPath": f"/{name}", "resources": quota}}


def empty_dir(path: Path) -> Path:
    """A folder as Kubernetes makes an emptyDir for a pod with an fsGroup."""
    path.mkdir()
    os.chown(path, 0, USER)
    path.chmod(0o2777)
    return path
