"""Stage 2: the classifiers that are trained on embeddings, and the bundle that saves one.

Here stands what heads of every kind use: the table, the base class, and the state that is saved. Each kind of head has
a package of its own, which knows neither the other kinds nor the saved heads.
"""

from cellfeat.heads.earlier_names import find_earlier_names

find_earlier_names()
