"""Samples that are crops around the cells of whole fields of view: found and cut; `reading` reads their pixels."""
