"""A node: containerd, kubelet and kube-proxy, in a network and mount namespace of its own, started by machine.py."""

import json
import os
import shutil
import sys
from pathlib import Path

from kubernetes.daemons import API_SERVER, CONTROL, HOME, PARTS, ROOT, answers, run, start, wait

# What the kubelet would set for the whole machine. It finds it set, and sets nothing.
SYSCTLS = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10, "kernel/panic_on_oops": 1,
           "kernel/keys/root_maxkeys": 1000000, "kernel/keys/root_maxbytes": 25000000}
SOCKET = "/run/containerd.sock"
CGROUPS = Path("/sys/fs/cgroup")


def main(state: Path, number: int) -> None:
    """Start the node `number`, say "ready", and stay until containerd ends."""
    own = state / f"node{number}"
    own.mkdir()
    _mounts(own)
    _network(number)
    _containerd_config(own, number)
    log = own / "containerd.log"
    containerd = start(log, ROOT / "usr/bin/containerd", "--config", own / "containerd.toml")
    wait("containerd", lambda: Path(SOCKET).exists(), containerd, log)
    _kubelet_config(state, own, number)
    kubeconfig = state / f"node{number}.kubeconfig"
    kubelet = start(own / "kubelet.log", PARTS, "kubelet", f"--config={own}/kubelet.json", f"--kubeconfig={kubeconfig}",
                    f"--hostname-override=node{number}", f"--node-ip=10.10.0.1{number}", f"--cert-dir={own}")
    start(own / "kube-proxy.log", PARTS, "kube-proxy", f"--kubeconfig={state}/admin.kubeconfig",
          f"--master={API_SERVER}", f"--hostname-override=node{number}", "--cluster-cidr=10.244.0.0/16",
          "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s",
          "--conntrack-tcp-timeout-close-wait=0s")
    wait("kubelet", lambda: answers("http://127.0.0.1:10248/healthz"), kubelet, own / "kubelet.log")
    print("ready", flush=True)
    containerd.wait()


def _mounts(own: Path) -> None:
    """Folders that the programs name themselves are this node's alone."""
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    if (CGROUPS / "unified").is_mount():    # beside version 1's groups; crun wants one version alone
        run("umount", CGROUPS / "unified")
    for place in ("/var/lib", "/var/log"):      # kubelet, cni; pods, containers
        mine = own / place.replace("/", "_")
        mine.mkdir()
        run("mount", "--bind", mine, place)
    for name, value in SYSCTLS.items():
        file = own / name.replace("/", "_")
        file.write_text(f"{value}\n")
        run("mount", "--bind", file, f"/proc/sys/{name}")


def _network(number: int) -> None:
    control = ("nsenter", "--net=/proc/1/ns/net", "ip", "link")
    run(*control, "add", f"node{number}", "type", "veth", "peer", "name", "eth0", "netns", os.getpid())
    run(*control, "set", f"node{number}", "master", "fabric", "up")
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"10.10.0.1{number}/24", "dev", "eth0")
    run("ip", "link", "set", "eth0", "up")
    run("ip", "route", "add", "default", "via", CONTROL)
    run("ip", "route", "add", f"10.244.{3 - number}.0/24", "via", f"10.10.0.1{3 - number}")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _containerd_config(own: Path, number: int) -> None:
    store = own / "containerd"
    # The image's files are shared with the store that `install` has filled; its databases are this node's.
    run("cp", "-al", HOME / "containerd", store)
    for database in store.rglob("*.db"):
        copy = database.with_suffix(".copy")
        shutil.copy(database, copy)
        copy.rename(database)
    network = own / "net.d"
    network.mkdir()
    (network / "pods.conflist").write_text(json.dumps({
        "cniVersion": "0.4.0", "name": "pods", "plugins": [{
            "type": "bridge", "bridge": "pods", "isGateway": True, "ipam": {
                "type": "host-local", "subnet": f"10.244.{number}.0/24", "routes": [{"dst": "0.0.0.0/0"}]}}]}))
    (own / "containerd.toml").write_text(f"""version = 2
root = "{store}"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "sparkminer.test/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{ROOT}/usr/lib/cni"
    conf_dir = "{network}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "crun"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun.options]
        BinaryName = "{ROOT}/usr/bin/crun"
[plugins."io.containerd.internal.v1.opt"]
  path = "{own}/opt"
""")


def _kubelet_config(state: Path, own: Path, number: int) -> None:
    group = f"{state.name}/node{number}"
    for hierarchy in CGROUPS.iterdir():
        if not (hierarchy / "cgroup.procs").exists():
            continue
        for level in (hierarchy / state.name, hierarchy / group):
            level.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):     # empty in a new group
                if (level / name).exists():
                    (level / name).write_text((level.parent / name).read_text())
    (own / "resolv.conf").write_text("")
    (own / "kubelet.json").write_text(json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}", "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{group}",
        "failSwapOn": False, "clusterDNS": [CONTROL], "clusterDomain": "cluster.local",
        "resolvConf": str(own / "resolv.conf"), "volumePluginDir": str(own / "plugins"),
        "localStorageCapacityIsolation": False,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"}, "makeIPTablesUtilChains": False,
        "imageGCHighThresholdPercent": 100, "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%",
                                                             "nodefs.inodesFree": "0%", "imagefs.available": "0%"}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
