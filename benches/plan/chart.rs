//! A chart of figures that differ by powers of ten: bars on a logarithmic scale, as SVG. Start with [`keep`].

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::processes::timing::Figure;

/// Lengths of the chart in pixels.
const WIDTH: f64 = 760.0;
const NAMES: f64 = 250.0;
const VALUES: f64 = 80.0;
const BAR: f64 = 20.0;
const STEP: f64 = 28.0;
const HEAD: f64 = 40.0;

/// Writes a chart to the file `name` of `folder`.
pub(crate) fn keep(folder: &Path, name: &str, title: &str, figures: &[Figure]) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), draw(title, figures))?;
    Ok(())
}

/// The chart as SVG: one bar for each figure, from a millisecond on.
fn draw(title: &str, figures: &[Figure]) -> String {
    let longest = figures.iter().map(Figure::milliseconds).fold(10.0, f64::max);
    let length =
        |milliseconds: f64| milliseconds.max(1.0).log10() / longest.log10() * (WIDTH - NAMES - VALUES);
    let mut svg = String::new();
    let mut y = HEAD;
    for figure in figures {
        let (own, bar, middle) = (figure.milliseconds(), length(figure.milliseconds()), y + BAR * 0.7);
        let colour = if figure.name.starts_with("dtbuild") { "#2563eb" } else { "#94a3b8" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{middle:.0}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{NAMES:.0}\" y=\"{y:.0}\" width=\"{bar:.1}\" height=\"{BAR:.0}\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{middle:.0}\">{own:.1} ms</text>",
            NAMES - 8.0,
            escaped(&figure.name),
            NAMES + bar + 6.0,
        );
        y += STEP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {y:.0}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"22\" font-weight=\"bold\">{} (logarithmic)</text>\n{svg}</svg>\n",
        escaped(title),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
