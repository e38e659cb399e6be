"""What `digitd calibrate` measures, asks and makes; one noun a file, in the order of a session.

microphone -> level -> gain -> prompts -> takes -> hearing -> operating_point -> enrolment -> personal_bundle
"""
