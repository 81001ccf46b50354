//! The specification of the parser and the analysis, as tables.

mod expansion;
