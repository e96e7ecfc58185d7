"""Tables: any file or table of rows -> typed columns -> the design matrix X."""
