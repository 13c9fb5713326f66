"""What looks like a secret: by its name, and by what stands in it. Pure; who reads the files is somebody else.

The shapes of tokens are those that their issuers document: AWS (access key ids), Hugging Face, GitHub, GitLab, Slack,
OpenAI and Anthropic, Google (API keys), Aliyun (AccessKey ids), npm, Weights & Biases.
"""

from __future__ import annotations

import re

LARGEST = 64 << 10
"""Bytes of a file whose content is looked at: what people keep secrets in is small."""
_LEAST_DISTINCT = 8
"""Different characters of a token: fewer make a placeholder, such as hf_xxxxxxxx."""

_PRIVATE = "a private key"
_STATE = "state of Terraform, secrets included"
_NAMES = {
    **dict.fromkeys(("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk"), _PRIVATE),
    **dict.fromkeys((".netrc", "_netrc", ".git-credentials", ".pgpass", ".htpasswd", ".my.cnf"), "logins"),
    **dict.fromkeys(("credentials.json", "kaggle.json", "kubeconfig", ".vault-token"), "credentials by its name"),
    **dict.fromkeys(("rclone.conf", ".s3cfg", ".ossutilconfig", ".boto"), "credentials of a storage service"),
    **dict.fromkeys(("secrets.toml", "secrets.json", "secrets.yaml", "secrets.yml"), "secrets by its name"),
    **dict.fromkeys(("hf_token", ".hf_token", ".wandb_api_key"), "a token by its name"),
}
_SUFFIXES = {
    **dict.fromkeys((".p12", ".pfx", ".jks", ".keystore", ".ppk"), "a key store"),
    ".kdbx": "a password store",
    ".token": "a token by its name",
    ".tfstate": _STATE,
}
_ENDS = (
    (".aws/credentials", "credentials of AWS"),
    (".kube/config", "credentials of Kubernetes"),
    (".docker/config.json", "logins of Docker"),
    (".aliyun/config.json", "credentials of Aliyun"),
    ("huggingface/token", "a token of Hugging Face"),
    (".huggingface/token", "a token of Hugging Face"),
    ("huggingface/stored_tokens", "tokens of Hugging Face"),
    ("modelscope/credentials/git_token", "a token of ModelScope"),
    (".modelscope/credentials/git_token", "a token of ModelScope"),
    (".config/gh/hosts.yml", "a token of GitHub"),
    ("terraform.tfstate.backup", _STATE),
    ("gcloud/application_default_credentials.json", "credentials of Google Cloud"),
)
_SSH_FOLDER = re.compile(r"(.*/)?\.ssh/.+")
_SSH_PUBLIC = re.compile(
    r".+\.pub|config|known_hosts(\.old)?|authorized_keys2?|environment|rc|\.git(keep|ignore)|readme.*"
)
_SERVICE = re.compile(r"(.*[-_.])?(service[-_]?account|client[-_]secret)[^/]*\.json")
_ENVIRONMENT = re.compile(r"(\.env(\..+)?|.+\.env)")
_HARMLESS = re.compile(r".*\.(example|sample|template|tmpl|dist|schema|defaults?)(\.[a-z]+)?")
_LOOKED_INTO = {".pem", ".key"}
_DIGIT = re.compile(rb"[0-9]")
"""A value without one is words: your_api_key_goes_here."""
_RC = {
    ".npmrc": re.compile(rb"_auth(Token)?\s*=\s*[^\s$]"),
    ".pypirc": re.compile(rb"^\s*password\s*[:=]\s*\S", re.MULTILINE),
}

_WANDB = "an API key of Weights & Biases"
_KEY_BLOCK = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_TOKENS = tuple(
    (re.compile(rb"(?<![A-Za-z0-9_-])" + pattern + rb"(?![A-Za-z0-9_-])"), whose)
    for pattern, whose in (
        (rb"A[KS]IA[0-9A-Z]{16}", "a key of AWS"),
        (rb"hf_[A-Za-z0-9]{30,}", "a token of Hugging Face"),
        (rb"gh[pousr]_[A-Za-z0-9]{36,}", "a token of GitHub"),
        (rb"github_pat_[A-Za-z0-9_]{50,}", "a token of GitHub"),
        (rb"glpat-[A-Za-z0-9_-]{20,}", "a token of GitLab"),
        (rb"xox[abeoprs]-[A-Za-z0-9-]{20,}", "a token of Slack"),
        # Hyphens only behind a known beginning: scikit-learn's pages are full of sk-container-id-1.
        (rb"sk-(?:proj|svcacct|admin|ant|or|lf)-[A-Za-z0-9_-]{24,}", "an API key (sk-...)"),
        (rb"sk-[A-Za-z0-9]{32,}", "an API key (sk-...)"),
        (rb"AIza[A-Za-z0-9_-]{35}", "an API key of Google"),
        (rb"LTAI[A-Za-z0-9]{12,26}", "a key of Aliyun"),
        (rb"npm_[A-Za-z0-9]{36}", "a token of npm"),
    )
)
# What stands between a name and its value: NAME = "...", NAME: str = "...", an item of os.environ,
# setdefault(NAME, "..."), and the blank of a Dockerfile's ENV NAME ...
_BETWEEN = rb"[\"']?\]?(?:\s*:\s*str)?(?:\s*[=:,]\s*|[ \t]+)[\"']?"
_NAMED = tuple(
    (re.compile(pattern, re.IGNORECASE), whose)
    for pattern, whose in (
        (
            rb"(?:aws_?secret_?(?:access_?)?key|secret_?access_?key)" + _BETWEEN + rb"([A-Z0-9/+]{40})(?![A-Z0-9/+=])",
            "a key of AWS",
        ),
        (rb"access_?key_?secret" + _BETWEEN + rb"([A-Z0-9]{30})(?![A-Z0-9])", "a key of Aliyun"),
        (rb"wandb_api_key" + _BETWEEN + rb"([A-Z0-9_-]{40,})", _WANDB),
        (rb"wandb\.login\([^()]{0,200}?[\"']([0-9a-f]{40})[\"']", _WANDB),
        (rb"\bwandb[ \t\"',]+login[ \t\"',]+(?:[^\s\"',]+[ \t\"',]+){0,4}?([0-9a-f]{40})(?![0-9a-z])", _WANDB),
    )
)


def by_name(path: str) -> str | None:
    """Return what a file is by its path alone, such as ``logins``; ``None``: its name says nothing."""
    lower = path.lower()
    name = lower.rpartition("/")[2]
    if _HARMLESS.fullmatch(name):
        return None
    if name in _NAMES:
        return _NAMES[name]
    suffix = name[name.rfind(".") :] if "." in name else ""
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    for shape, what in ((_ENVIRONMENT, "variables by its name"), (_SERVICE, "credentials by its name")):
        if shape.fullmatch(name):
            return what
    if _SSH_FOLDER.fullmatch(lower) and not _SSH_PUBLIC.fullmatch(name):
        return "a key by its folder"
    return next((what for end, what in _ENDS if lower == end or lower.endswith(f"/{end}")), None)


def needs_look(path: str) -> bool:
    """Return whether only the content tells, whoever tracks the file: certificates are public, keys are not."""
    name = path.lower().rpartition("/")[2]
    return name in _RC or name[name.rfind(".") :] in _LOOKED_INTO


def by_content(path: str, content: bytes) -> str | None:
    """Return what stands in a small file, such as ``a private key``; ``None``: nothing that is known."""
    if b"\0" in content:
        return None
    if b"PRIVATE KEY" in content and _KEY_BLOCK.search(content):
        return _PRIVATE
    rc = _RC.get(path.lower().rpartition("/")[2])
    if rc is not None and rc.search(content):
        return "a login"
    for pattern, whose in _TOKENS:
        if any(_real(one.group()) for one in pattern.finditer(content)):
            return whose
    for pattern, whose in _NAMED:
        if any(_real(one[1]) and _DIGIT.search(one[1]) for one in pattern.finditer(content)):
            return whose
    return None


def _real(token: bytes) -> bool:
    """Return whether a token is one that somebody could use, and no placeholder of a manual."""
    return len(set(token)) >= _LEAST_DISTINCT and b"EXAMPLE" not in token.upper() and b"XXXX" not in token.upper()
