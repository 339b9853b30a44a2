"""spaceforms.models"""
