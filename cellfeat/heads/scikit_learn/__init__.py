"""Classifiers of scikit-learn as heads: by name (``sklearn:SVC``), or as estimator objects from Python."""
