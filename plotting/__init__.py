"""spaceforms.plotting"""
