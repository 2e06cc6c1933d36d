import click
@click.command("check-parity")
def check_parity() -> None:
    """x"""
