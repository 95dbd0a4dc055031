"""Carries graphdebug into a program: the interpreter imports this at start-up, from PYTHONPATH.

It leaves ``sys.path`` as it would have been, runs the ``sitecustomize`` that it stands in front of,
and waits until the program imports a framework, debugpy its tracer, or a notebook's kernel its shell.
A program that imports none never loads more of graphdebug than this file, unless it is to be
attachable. Not imported by any other part, but for those who are late, ``graphdebug.listen()`` and
``%load_ext graphdebug``: they run it under another name.
"""

# mypy: ignore-errors


def _boot(chains: bool) -> None:
    import importlib.machinery
    import importlib.util
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    package = os.path.dirname(os.path.dirname(here))

    NAMES = ("torch", "tensorflow", "keras", "pydevd", "ipykernel.zmqshell")  # noqa: N806

    class Loader:
        """Runs the framework's own loader, then tells the runtime."""

        def __init__(self, loader):
            self._loader = loader

        def __getattr__(self, name):
            return getattr(self._loader, name)

        def create_module(self, spec):
            return self._loader.create_module(spec)

        def exec_module(self, module):
            module.__spec__.loader = module.__loader__ = self._loader
            end = importing(module.__spec__.origin)
            try:
                self._loader.exec_module(module)
            finally:
                end()
            imported(module.__name__)

    class Finder:
        """Finds what the other finders find, for those few names only."""

        busy = set()  # noqa: RUF012

        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if name not in NAMES or name in cls.busy:
                return None
            cls.busy.add(name)
            try:
                spec = importlib.util.find_spec(name)
            finally:
                cls.busy.discard(name)
            if spec is not None and hasattr(spec.loader, "exec_module"):
                spec.loader = Loader(spec.loader)
            return spec

    def importing(path):
        try:
            if "graphdebug.runtime.debugger" in sys.modules:
                from graphdebug.runtime import framework_imports

                return framework_imports.begin(path)
        except Exception as error:
            print(f"graphdebug: importing {path} takes longer: {error!r}", file=sys.stderr)
        return lambda: None

    def imported(name: str) -> None:
        try:
            if "graphdebug" not in sys.modules:
                spec = importlib.util.spec_from_file_location(
                    "graphdebug",
                    os.path.join(package, "__init__.py"),
                    submodule_search_locations=[package],
                )
                module = importlib.util.module_from_spec(spec)
                sys.modules["graphdebug"] = module
                spec.loader.exec_module(module)
            if name == "pydevd":
                from graphdebug.runtime.debugger import mends

                mends.mend()
            elif name == "ipykernel.zmqshell":
                from graphdebug.runtime.notebook import shell

                shell.prepare(sys.modules[name].ZMQInteractiveShell)
            elif not name:
                from graphdebug.runtime import boot

                boot.start()
            else:
                from graphdebug.runtime import boot

                boot.framework_imported(name)
        except Exception as error:
            what = name or "this process"
            print(f"graphdebug: {what} is not observed: {error!r}", file=sys.stderr)

    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    sys.meta_path.insert(0, Finder)
    if not chains:
        return
    chained = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if chained is not None:
        module = importlib.util.module_from_spec(chained)
        sys.modules["sitecustomize"] = module
        chained.loader.exec_module(module)
    if '"attachable":true' in os.environ.get("GRAPHDEBUG", ""):
        imported("")


_boot(chains=__name__ == "sitecustomize")
del _boot
