"""`digitd bench`: what the recogniser costs and how soon it answers, in one run, beside others on the same sound."""
