"""Packs a folder as an image in the OCI's layout: `python pack.py FOLDER IMAGE.tar`.

The archive holds two images of one layer: Spark's, and the one that a pod's network belongs to ("pause").
"""

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

SPARK, PAUSE = "sparkminer.test/spark:1", "sparkminer.test/pause:1"
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SPARK_HOME=/opt/spark",
               "JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64", "PYSPARK_PYTHON=/usr/bin/python3"]
CONFIGS = {SPARK: {"Entrypoint": ["/opt/entrypoint"], "WorkingDir": "/opt/spark/work-dir", "User": "185",
                   "Env": ENVIRONMENT},
           PAUSE: {"Entrypoint": ["/usr/bin/sleep", "infinity"], "User": "185", "Env": ENVIRONMENT[:1]}}


class Layout:
    """An image layout (OCI image specification, 1.0) that is being written into a tar archive."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, name: str, data: bytes) -> None:
        """Add a file of the archive."""
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._archive.addfile(info, io.BytesIO(data))

    def blob(self, kind: str, content: object) -> dict[str, object]:
        """Add a JSON document by its digest. Returns its descriptor."""
        data = json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        self.add(f"blobs/sha256/{digest}", data)
        return {"mediaType": f"application/vnd.oci.image.{kind}+json", "digest": f"sha256:{digest}", "size": len(data)}

    def layer(self, path: Path) -> dict[str, object]:
        """Add the layer, an uncompressed tar archive. Returns its descriptor."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._archive.add(path, f"blobs/sha256/{digest}")
        return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{digest}",
                "size": path.stat().st_size}


def pack(folder: Path, image: Path) -> None:
    """Write both images, with what is in `folder` as their root, owned by root."""
    flat = image.with_suffix(".layer")
    with tarfile.open(flat, "w") as tar:
        tar.add(folder, ".", filter=lambda info: None if info.isdev() or info.name == "./proc" else info)
    with tarfile.open(image, "w") as archive:
        layout = Layout(archive)
        layer = layout.layer(flat)
        manifests = []
        for name, config in CONFIGS.items():
            described = layout.blob("config.v1", {
                "architecture": "amd64", "os": "linux", "config": config,
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}})
            manifest = layout.blob("manifest.v1", {
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": described, "layers": [layer]})
            manifests.append(manifest | {"annotations": {"io.containerd.image.name": name}})
        layout.add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        layout.add("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())
    flat.unlink()


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))
