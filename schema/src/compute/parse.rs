//! Text to syntax tree. Operators bind as they do in arithmetic and in SQL; depth and length are bounded.

/// Characters of an expression.
const TEXT_LENGTH_MAX: usize = 1_000;
/// Parentheses, signs and calls within each other: each level costs stack.
const DEPTH_MAX: usize = 32;

/// An expression as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Syntax {
    Null,
    Boolean(bool),
    /// By its digits.
    Number(String),
    Text(String),
    /// Names with points between them.
    Path(Vec<String>),
    Call(String, Vec<Syntax>),
    Unary(&'static str, Box<Syntax>),
    Binary(&'static str, Box<Syntax>, Box<Syntax>),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(String),
    Text(String),
    Name(String),
    Sign(&'static str),
}

/// Operators of arithmetic from the loosest to the tightest.
const CHAINS: &[&[&str]] = &[&["+", "-"], &["*", "/"]];
/// The longest first: what begins alike is told apart so.
const SIGNS: &[&str] = &["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", ",", "."];

/// Reads an expression.
///
/// # Errors
/// A sentence.
pub(super) fn parse(text: &str) -> Result<Syntax, String> {
    if text.chars().count() > TEXT_LENGTH_MAX {
        return Err(format!("it is longer than {TEXT_LENGTH_MAX} characters"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let syntax = parser.either()?;
    match parser.next() {
        None => Ok(syntax),
        Some(token) => Err(format!("{} cannot stand where it does", shown(&token))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first.is_ascii_digit() {
            number(rest)
        } else if first == '\'' {
            quoted(rest)?
        } else if first.is_ascii_alphabetic() {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), end)
        } else {
            let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) else {
                return Err(format!("\"{first}\" means nothing here"));
            };
            (Token::Sign(sign), sign.len())
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn number(text: &str) -> (Token, usize) {
    let digits = |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    let end = if fraction > 0 { whole + 1 + fraction } else { whole };
    (Token::Number(text[..end].to_owned()), end)
}

/// A text between single quotes; two of them stand for one.
fn quoted(text: &str) -> Result<(Token, usize), String> {
    let mut inner = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
                inner.push('\'');
            }
            '\'' => return Ok((Token::Text(inner), at + 1)),
            letter => inner.push(letter),
        }
    }
    Err("a text has no end: close it with '".to_owned())
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    /// Takes the next token when it is one of these operators.
    fn take(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let found = match self.tokens.get(self.at)? {
            Token::Sign(sign) => operators.iter().find(|operator| *operator == sign),
            Token::Name(name) => operators.iter().find(|operator| *operator == name),
            Token::Number(_) | Token::Text(_) => None,
        }?;
        self.at += 1;
        Some(found)
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        match self.take(&[sign]) {
            Some(_) => Ok(()),
            None => Err(match self.next() {
                Some(token) => format!("{} stands where \"{sign}\" should", shown(&token)),
                None => format!("\"{sign}\" is missing at the end"),
            }),
        }
    }

    /// A whole expression.
    fn either(&mut self) -> Result<Syntax, String> {
        let mut left = self.both()?;
        while self.take(&["or"]).is_some() {
            left = Syntax::Binary("or", Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Syntax, String> {
        let mut left = self.negated()?;
        while self.take(&["and"]).is_some() {
            left = Syntax::Binary("and", Box::new(left), Box::new(self.negated()?));
        }
        Ok(left)
    }

    fn negated(&mut self) -> Result<Syntax, String> {
        match self.take(&["not"]) {
            Some(not) => Ok(Syntax::Unary(not, Box::new(self.deeper(Parser::negated)?))),
            None => self.compared(),
        }
    }

    /// At most one comparison: `a < b < c` means something else than anybody thinks.
    fn compared(&mut self) -> Result<Syntax, String> {
        let left = self.chain(CHAINS)?;
        match self.take(&["==", "!=", "<=", ">=", "<", ">"]) {
            Some(operator) => Ok(Syntax::Binary(operator, Box::new(left), Box::new(self.chain(CHAINS)?))),
            None => Ok(left),
        }
    }

    /// Operators that bind alike, from the left.
    fn chain(&mut self, levels: &[&[&'static str]]) -> Result<Syntax, String> {
        let Some((operators, tighter)) = levels.split_first() else { return self.operand() };
        let mut left = self.chain(tighter)?;
        while let Some(operator) = self.take(operators) {
            left = Syntax::Binary(operator, Box::new(left), Box::new(self.chain(tighter)?));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Syntax, String> {
        if self.take(&["-"]).is_some() {
            return Ok(Syntax::Unary("-", Box::new(self.deeper(Parser::operand)?)));
        }
        match self.next() {
            Some(Token::Number(digits)) => Ok(Syntax::Number(digits)),
            Some(Token::Text(text)) => Ok(Syntax::Text(text)),
            Some(Token::Sign("(")) => {
                let inner = self.deeper(Parser::either)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Name(name)) => self.named(name),
            Some(token) => Err(format!("{} stands where a value should", shown(&token))),
            None => Err("it ends where a value should stand".to_owned()),
        }
    }

    fn named(&mut self, name: String) -> Result<Syntax, String> {
        match name.as_str() {
            "null" => return Ok(Syntax::Null),
            "true" | "false" => return Ok(Syntax::Boolean(name == "true")),
            "and" | "or" | "not" => return Err(format!("\"{name}\" stands where a value should")),
            _ => {}
        }
        if self.take(&["("]).is_some() {
            let mut operands = Vec::new();
            if self.take(&[")"]).is_none() {
                loop {
                    operands.push(self.deeper(Parser::either)?);
                    if self.take(&[","]).is_none() {
                        break;
                    }
                }
                self.expect(")")?;
            }
            return Ok(Syntax::Call(name, operands));
        }
        let mut path = vec![name];
        while self.take(&["."]).is_some() {
            match self.next() {
                Some(Token::Name(name)) => path.push(name),
                _ => return Err(format!("a name is missing behind \"{}.\"", path.join("."))),
            }
        }
        Ok(Syntax::Path(path))
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Parser) -> Result<T, String>) -> Result<T, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("it is nested deeper than {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(digits) => digits.clone(),
        Token::Text(text) => format!("'{text}'"),
        Token::Name(name) => format!("\"{name}\""),
        Token::Sign(sign) => format!("\"{sign}\""),
    }
}
