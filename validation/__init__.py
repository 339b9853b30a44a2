"""spaceforms.validation"""
