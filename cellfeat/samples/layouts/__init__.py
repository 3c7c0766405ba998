"""How names of files and samples correspond: the layouts, the search for images by one, and advice on choosing one."""

from cellfeat.samples.layouts.base import Found as Found
from cellfeat.samples.layouts.base import Layout as Layout
from cellfeat.samples.layouts.base import leads_outside as leads_outside
