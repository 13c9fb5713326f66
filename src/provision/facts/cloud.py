"""Which cloud a machine stands in, from what its firmware says of itself.

Sources: cloud-init's ds-identify and each provider's documentation of its DMI strings; a hypervisor's UUID
that begins with ``ec2`` is AWS's documented sign.
"""

from __future__ import annotations

_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("aws", ("amazon ec2", "amazon")),
    ("gcp", ("google compute engine", "google")),
    ("aliyun", ("alibaba cloud",)),
    ("tencent", ("tencent cloud", "tencent")),
    ("huawei", ("huawei cloud", "huaweicloud")),
    ("volcengine", ("bytedance", "volcengine")),
    ("oracle", ("oraclecloud.com",)),
    ("digitalocean", ("digitalocean",)),
    ("hetzner", ("hetzner",)),
    ("scaleway", ("scaleway",)),
    ("vultr", ("vultr",)),
    ("linode", ("linode", "akamai")),
    ("ovh", ("ovh",)),
    ("exoscale", ("exoscale",)),
    ("openstack", ("openstack",)),
)
_AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""Azure's fixed chassis tag; the vendor alone, Microsoft, is also a Hyper-V at home."""


def cloud(dmi: dict[str, str]) -> str | None:
    """Return the provider's name, ``None`` where the firmware names none.

    Args:
        dmi: Fields of /sys/class/dmi/id, and ``hypervisor_uuid`` of /sys/hypervisor/uuid.
    """
    if dmi.get("chassis_asset_tag") == _AZURE_ASSET_TAG:
        return "azure"
    if dmi.get("hypervisor_uuid", "").lower().startswith("ec2"):
        return "aws"
    said = [text.strip().lower() for text in dmi.values()]
    for name, signs in _SIGNS:
        if any(text.startswith(signs) for text in said):
            return name
    return None
