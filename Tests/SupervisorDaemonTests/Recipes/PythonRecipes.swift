// The recipes of Python's web servers.

extension Recipe {
  static let all = python + others

  static let python = [
    Recipe(name: "flask", needs: ["venv/bin/flask"], package: "PyPI: flask", accepted: .mayBreak),
    Recipe(name: "flask-reloader", needs: ["venv/bin/flask"], package: "PyPI: flask", accepted: .mayBreak),
    Recipe(name: "django", needs: ["venv/bin/django-admin"], package: "PyPI: django", accepted: .mayBreak),
    Recipe(
      name: "django-reloader", needs: ["venv/bin/django-admin"], package: "PyPI: django", accepted: .mayBreak),
    Recipe(name: "gunicorn", needs: ["venv/bin/gunicorn"], package: "PyPI: gunicorn", accepted: .mayBreak),
    Recipe(name: "uvicorn", needs: ["venv/bin/uvicorn"], package: "PyPI: uvicorn", accepted: .mayBreak),
    Recipe(name: "hypercorn", needs: ["venv/bin/hypercorn"], package: "PyPI: hypercorn", accepted: .mayBreak),
    Recipe(name: "granian", needs: ["venv/bin/granian"], package: "PyPI: granian", accepted: .mayBreak),
    Recipe(name: "http-server", needs: ["python3"], package: "Debian: python3", accepted: .mayBreak),
  ]
}
