//! The regular expressions that a pattern can turn into, in Go's syntax. Start with [`parse`].
//!
//! After Go's `regexp/syntax` with its Perl flags. A translation into another engine's syntax would
//! have to know every place where the two differ (`x{,2}`, `[[^/]`, `\Q`, `\C`); a parser is shorter
//! than that list. Parentheses come from the translation of `**` alone, so nesting is shallow.
//! Unicode classes (`\pL`) are the one construct that is refused here and accepted by Go.

use super::classes::{self, Ranges};

/// The largest bound of a repetition that Go accepts.
const LONGEST_REPEAT: u32 = 1000;

/// The shape of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ast {
    /// Matches the empty text.
    Empty,
    /// One rune (or byte) of these ranges.
    Class(Ranges),
    /// The start of the path.
    Begin,
    /// The end of the path.
    End,
    /// A place where an ASCII word begins or ends; or, if false, any other place.
    WordBoundary(bool),
    /// Copies of an expression: the least number, and the greatest, if there is one.
    Repeat(Box<Ast>, u32, Option<u32>),
    /// These expressions, one after the other.
    Concat(Vec<Ast>),
    /// Any one of these expressions.
    Alternate(Vec<Ast>),
}

/// Parses the expression `text`; the error says what is wrong with the text.
pub(super) fn parse(text: &str) -> Result<Ast, &'static str> {
    let mut parser = Parser { rest: text };
    let ast = parser.alternation()?;
    if parser.rest.is_empty() { Ok(ast) } else { Err("a parenthesis is not open") }
}

/// The part of an expression that is not parsed yet.
struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<char> {
        let mut runes = self.rest.chars();
        let rune = runes.next();
        self.rest = runes.as_str();
        rune
    }

    /// Parses alternatives, up to the end of the text or the closing parenthesis.
    fn alternation(&mut self) -> Result<Ast, &'static str> {
        let mut alternatives = vec![self.concatenation()?];
        while self.take("|") {
            alternatives.push(self.concatenation()?);
        }
        Ok(match alternatives.len() {
            1 => alternatives.remove(0),
            _ => Ast::Alternate(alternatives),
        })
    }

    fn concatenation(&mut self) -> Result<Ast, &'static str> {
        let mut atoms = Vec::new();
        let mut repeated = false;
        while !(self.rest.is_empty() || self.rest.starts_with(['|', ')'])) {
            if let Some((least, most)) = self.repetition()? {
                if repeated {
                    return Err("a repetition directly follows a repetition");
                }
                let atom = atoms.pop().ok_or("nothing stands before the repetition")?;
                atoms.push(Ast::Repeat(Box::new(atom), least, most));
                repeated = true;
                continue;
            }
            repeated = false;
            self.atom(&mut atoms)?;
        }
        Ok(Ast::Concat(atoms))
    }

    /// Parses a repetition and returns its bounds; none if there is no repetition. A `{` that opens no
    /// repetition is a literal.
    fn repetition(&mut self) -> Result<Option<(u32, Option<u32>)>, &'static str> {
        for (token, least, most) in [("*", 0, None), ("+", 1, None), ("?", 0, Some(1))] {
            if self.take(token) {
                return Ok(Some((least, most)));
            }
        }
        let Some((inside, rest)) = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            return Ok(None);
        };
        let bounds = match inside.split_once(',') {
            None => number(inside).map(|exact| (exact, Some(exact))),
            Some((least, "")) => number(least).map(|least| (least, None)),
            Some((least, most)) => number(least).zip(number(most)).map(|(least, most)| (least, Some(most))),
        };
        let Some((least, most)) = bounds else { return Ok(None) };
        if least.max(most.unwrap_or(0)) > LONGEST_REPEAT || most.is_some_and(|most| least > most) {
            return Err("the bounds of a repetition are not in order or above 1000");
        }
        self.rest = rest;
        Ok(Some((least, most)))
    }

    fn atom(&mut self, atoms: &mut Vec<Ast>) -> Result<(), &'static str> {
        if self.take("\\Q") {
            let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            atoms.extend(literal.chars().map(|rune| Ast::Class(classes::single(rune.into()))));
            self.rest = rest;
            return Ok(());
        }
        atoms.push(if self.take("(") {
            let group = self.alternation()?;
            if !self.take(")") {
                return Err("a parenthesis is not closed");
            }
            group
        } else if self.take("[") {
            Ast::Class(self.class()?)
        } else if self.take("^") || self.take("\\A") {
            Ast::Begin
        } else if self.take("$") || self.take("\\z") {
            Ast::End
        } else if self.take("\\b") {
            Ast::WordBoundary(true)
        } else if self.take("\\B") {
            Ast::WordBoundary(false)
        } else if self.take(".") {
            Ast::Class(classes::negate(&classes::single('\n'.into())))
        } else if let Some(class) = self.perl_class() {
            Ast::Class(class)
        } else {
            Ast::Class(classes::single(self.rune()?))
        });
        Ok(())
    }

    fn perl_class(&mut self) -> Option<Ranges> {
        let name = self.rest.strip_prefix('\\')?.chars().next()?;
        let class = classes::perl(name)?;
        self.rest = &self.rest[1 + name.len_utf8()..];
        Some(class)
    }

    /// Parses a class, whose `[` was taken.
    fn class(&mut self) -> Result<Ranges, &'static str> {
        let negated = self.take("^");
        let mut ranges = Ranges::new();
        let mut first = true;
        while first || !self.take("]") {
            first = false;
            if self.rest.starts_with("[:")
                && let Some(end) = self.rest[2..].find(":]")
            {
                let class = classes::posix(&self.rest[2..2 + end]).ok_or("a class has no such name")?;
                ranges.extend(class);
                self.rest = &self.rest[end + 4..];
                continue;
            }
            if let Some(class) = self.perl_class() {
                ranges.extend(class);
                continue;
            }
            let low = self.rune()?;
            let spans =
                self.rest.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && !rest.starts_with(']'));
            let high = if spans && self.take("-") { self.rune()? } else { low };
            if high < low {
                return Err("a range of a class ends before it starts");
            }
            ranges.push((low, high));
        }
        let ranges = classes::normalise(ranges);
        Ok(if negated { classes::negate(&ranges) } else { ranges })
    }

    /// Parses a literal rune, possibly escaped.
    fn rune(&mut self) -> Result<u32, &'static str> {
        match self.next().ok_or("a class is not closed")? {
            '\\' => self.escape().ok_or("an escape means nothing, or is a Unicode class"),
            rune => Ok(rune.into()),
        }
    }

    /// Parses an escape, whose backslash was taken; none if the escape means no rune.
    fn escape(&mut self) -> Option<u32> {
        Some(match self.next()? {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' if self.take("{") => {
                let (digits, rest) = self.rest.split_once('}')?;
                self.rest = rest;
                hexadecimal(digits)?
            }
            'x' => {
                let digits = self.rest.get(..2)?;
                self.rest = &self.rest[2..];
                hexadecimal(digits)?
            }
            digit @ '0'..='7' => {
                if digit != '0' && !self.rest.starts_with(|next| matches!(next, '0'..='7')) {
                    return None;
                }
                let mut value = u32::from(digit) - u32::from('0');
                for _ in 0..2 {
                    let Some(next) = self.rest.chars().next().filter(|next| matches!(next, '0'..='7')) else {
                        break;
                    };
                    value = value * 8 + u32::from(next) - u32::from('0');
                    self.rest = &self.rest[1..];
                }
                value
            }
            rune if rune.is_ascii() && !rune.is_ascii_alphanumeric() => rune.into(),
            _ => return None,
        })
    }
}

/// The bound of a repetition: decimal, without leading zeros. A number that is too long for the type is
/// merely too large.
fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (digits == "0" || !digits.starts_with('0'))).then(|| digits.parse().unwrap_or(u32::MAX))
}

/// The rune with the hexadecimal number `digits`, which may have any number of leading zeros.
fn hexadecimal(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = digits.trim_start_matches('0');
    let value = if digits.is_empty() { Some(0) } else { u32::from_str_radix(digits, 16).ok() };
    value.filter(|&value| plain && value <= classes::LAST)
}
