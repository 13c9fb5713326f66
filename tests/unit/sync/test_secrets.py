from __future__ import annotations

import pytest

from provision.sync.secrets import by_content, by_name, needs_look

HEX = "0123456789abcdef" * 2 + "01234567"
LETTERS = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA"


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "deploy/.env.production",
        "prod.env",
        "keys/id_ed25519",
        "ID_RSA",
        "home/.aws/credentials",
        "service-account-prod.json",
        "gcp_service_account.json",
        "store.P12",
        "hf.token",
        ".cache/huggingface/token",
        ".netrc",
        "kubeconfig",
        "home/.huggingface/token",
        ".huggingface/token",
        "rclone.conf",
        ".config/rclone/rclone.conf",
        ".config/gh/hosts.yml",
        ".streamlit/secrets.toml",
        "infra/terraform.tfstate",
        "infra/terraform.tfstate.backup",
        ".s3cfg",
        ".my.cnf",
        ".pgpass",
        ".git-credentials",
        ".docker/config.json",
        ".kube/config",
        ".ssh/deploy",
        "home/.ssh/github_rsa",
        ".modelscope/credentials/git_token",
    ],
)
def test_the_name_tells(path: str) -> None:
    assert by_name(path) is not None


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "app/.env.sample",
        ".env.template",
        "id_rsa.pub",
        "environment.yml",
        "src/env.py",
        "tokenizer.json",
        "token.py",
        "credentials.py",
        "config.json",
        "vocab.tokens",
        ".ssh/config",
        ".ssh/known_hosts",
        ".ssh/deploy.pub",
        "secrets.py",
        "package-lock.json",
        "keyboard.key",
        "hosts.yml",
        "infra/main.tf",
    ],
)
def test_the_name_says_nothing(path: str) -> None:
    assert by_name(path) is None


def test_certificates_and_keys_are_looked_into_whoever_tracks_them() -> None:
    assert needs_look("tls/server.pem")
    assert needs_look("server.key")
    assert needs_look(".npmrc")
    assert not needs_look("key")
    assert by_content("ca.pem", b"-----BEGIN CERTIFICATE-----\nMIIB\n") is None
    assert by_content("a.pem", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3\n") == "a private key"


@pytest.mark.parametrize(
    "text",
    [
        f"token = 'hf_{LETTERS}'",
        f"ghp_{LETTERS}{LETTERS}"[:44],
        f"glpat-{LETTERS[:20]}",
        f"sk-{LETTERS}{LETTERS}",
        f"sk-proj-{LETTERS}_{LETTERS}",
        "key: AKIAQ4ZJ7LMN2PRS6TUV",
        f"LTAI5t{LETTERS[:18]}",
        f"AIza{LETTERS}abc",
        "xoxb-2345678901-abcdefghijkl",
        f"WANDB_API_KEY={HEX}",
        f"ENV WANDB_API_KEY {HEX}",
        f"export WANDB_API_KEY='{HEX}'",
        f'os.environ["WANDB_API_KEY"] = "{HEX}"',
        f'WANDB_API_KEY: str = "{HEX}"',
        f"os.environ.setdefault('WANDB_API_KEY', '{HEX}')",
        f'wandb.login(key="{HEX}")',
        f'wandb.login(\n    relogin=True,\n    key="{HEX}",\n)',
        f"wandb login {HEX}",
        f"wandb login --relogin {HEX}",
        f'RUN ["wandb", "login", "{HEX}"]',
        f"access_key_secret = {LETTERS[:30]}",
        f'"accessKeySecret": "{LETTERS[:30]}"',
        f"os.environ['ALIBABA_CLOUD_ACCESS_KEY_SECRET'] = '{LETTERS[:30]}'",
        f"os.environ['AWS_SECRET_ACCESS_KEY'] = '{LETTERS}abcd/FG+'",
        f'boto3.client("s3", aws_secret_access_key="{LETTERS}abcd/FG+")',
        f'"SecretAccessKey": "{LETTERS}abcd/FG+"',
    ],
)
def test_a_token_of_a_known_shape_is_seen(text: str) -> None:
    assert by_content("notes.txt", text.encode()) is not None


@pytest.mark.parametrize(
    "text",
    [
        "hf_" + "x" * 34,
        "AKIAIOSFODNN7EXAMPLE",
        "class sk-container-id-1 sk-estimator-doc-link sk-parallel-item",
        "task-aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA",
        "os.environ['HF_TOKEN']",
        "hf_hub_download(repo_id)",
        "-----BEGIN PUBLIC KEY-----",
        "sk-...",
        f"wandb login {'x' * 40}",
        "wandb login\nmain.py at 0123456789abcdef0123456789abcdef01234567",
        "wandb login --relogin $WANDB_API_KEY",
        'os.environ["WANDB_API_KEY"] = "your_own_wandb_api_key_stands_in_this_place"',
        "wandb.login(key=os.environ['WANDB_API_KEY'])",
        'access_key_secret = "youraccesskeysecretstandshere_"',
        "access_key_secret = os.environ['ACCESS_KEY_SECRET']",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        f'"integrity": "sha512-{LETTERS}{LETTERS}{LETTERS[:22]}=="',
    ],
)
def test_what_only_resembles_one_is_not(text: str) -> None:
    assert by_content("notes.txt", text.encode()) is None


def test_a_login_in_an_rc_file_is_seen_and_a_reference_to_a_variable_is_not() -> None:
    assert by_content(".npmrc", b"//registry/:_authToken=abc\n") is not None
    assert by_content(".npmrc", b"//registry/:_authToken=${NPM_TOKEN}\n") is None
    assert by_content("a/.pypirc", b"[x]\npassword = abc\n") is not None


def test_what_is_no_text_is_not_looked_at() -> None:
    assert by_content("a.key", b"PK\0-----BEGIN PRIVATE KEY-----") is None
