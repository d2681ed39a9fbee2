"""A Kubernetes cluster in namespaces of its own: `unshare --fork --pid --net … python -m kubernetes.machine
STATE NODES`.

The control plane's network is this process's; each node (node.py) has one of its own, and a bridge joins them. Nothing
of it reaches the network outside. As the first process of its PID namespace, this one takes everything along when it
ends, which it does when its standard input does.
"""

import json
import ssl
import subprocess
import sys
from pathlib import Path

import trustme

from kubernetes.daemons import API_SERVER, CONTROL, PARTS, SERVICES, answers, run, start, wait

TOKENS = {"admin": "system:masters", "system:node:node1": "system:nodes", "system:node:node2": "system:nodes"}
COREFILE = """.:53 {{
    bind {address}
    errors
    kubernetes cluster.local {{
        kubeconfig {kubeconfig}
    }}
}}
"""


def main(state: Path, nodes: int) -> None:
    """Start everything, say "ready", and stay until standard input ends."""
    _network()
    _credentials(state)
    _control_plane(state)
    children = [subprocess.Popen(["unshare", "--net", "--mount", "--uts", sys.executable, "-m", "kubernetes.node",
                                  str(state), str(number)],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
                for number in range(1, nodes + 1)]
    for child in children:
        assert child.stdout is not None
        if child.stdout.readline() != b"ready\n":
            sys.exit("a node does not run")
    print("ready", flush=True)
    sys.stdin.read()


def _network() -> None:
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "fabric", "type", "bridge")
    run("ip", "address", "add", f"{CONTROL}/24", "dev", "fabric")
    run("ip", "link", "set", "fabric", "up")
    for number in (1, 2):
        run("ip", "route", "add", f"10.244.{number}.0/24", "via", f"10.10.0.1{number}")


def _credentials(state: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(state / "ca.crt")
    server = authority.issue_cert(CONTROL, "10.96.0.1", "127.0.0.1", "kubernetes.default.svc")
    server.private_key_pem.write_to_path(state / "server.key")
    for certificate in server.cert_chain_pems:
        certificate.write_to_path(state / "server.crt", append=True)
    run("openssl", "genrsa", "-out", state / "accounts.key", "2048")
    run("openssl", "rsa", "-in", state / "accounts.key", "-pubout", "-out", state / "accounts.pub")
    tokens = {user: f"token-of-{user.replace(':', '-')}" for user in TOKENS}
    (state / "tokens.csv").write_text("".join(f'{tokens[user]},{user},{user},"{group}"\n'
                                              for user, group in TOKENS.items()))
    for user, token in tokens.items():
        (state / f"{user.rpartition(':')[2]}.kubeconfig").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": API_SERVER, "certificate-authority": str(state / "ca.crt")}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": "default"}}]}))


def _control_plane(state: Path) -> None:
    admin, logs = state / "admin.kubeconfig", state / "logs"
    logs.mkdir()
    etcd = start(logs / "etcd", PARTS, "etcd", "--data-dir", state / "etcd", "--unsafe-no-fsync")
    wait("etcd", lambda: answers("http://127.0.0.1:2379/health"), etcd, logs / "etcd")
    server = start(
        logs / "kube-apiserver", PARTS, "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={CONTROL}", f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction", f"--token-auth-file={state}/tokens.csv",
        f"--tls-cert-file={state}/server.crt", f"--tls-private-key-file={state}/server.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={state}/accounts.pub", f"--service-account-signing-key-file={state}/accounts.key",
        "--kubelet-preferred-address-types=InternalIP", f"--cert-dir={state}")
    trusted = ssl.create_default_context(cafile=state / "ca.crt")
    wait("kube-apiserver", lambda: answers(f"{API_SERVER}/readyz", trusted), server, logs / "kube-apiserver")
    start(logs / "kube-controller-manager", PARTS, "kube-controller-manager", f"--kubeconfig={admin}",
          f"--service-account-private-key-file={state}/accounts.key", f"--root-ca-file={state}/ca.crt",
          "--leader-elect=false", f"--cert-dir={state}", f"--flex-volume-plugin-dir={state}/plugins")
    start(logs / "kube-scheduler", PARTS, "kube-scheduler", f"--kubeconfig={admin}", "--leader-elect=false",
          f"--cert-dir={state}")
    (state / "Corefile").write_text(COREFILE.format(address=CONTROL, kubeconfig=admin))
    start(logs / "coredns", PARTS.with_name("coredns"), "-conf", state / "Corefile")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
