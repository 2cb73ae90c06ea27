//! Draws curves as an SVG picture for a report: cumulative time over the number of RFCs.
//!
//! Overlapping curves can be told apart by their marks, which are at different places on each.

use std::io;

use plotters::coord::Shift;
use plotters::element::ComposedElement;
use plotters::prelude::*;

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (960, 640);
/// Steps per pixel. plotters uses only whole steps, and single pixels would bend straight lines.
/// All sizes below are in steps.
const FINE: u32 = 4;
/// The gray of the axes and of the grid.
const GRAY: RGBColor = RGBColor(90, 90, 90);
/// Colors that are distinct even for people who can't tell red from green (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
/// The corners of a mark, relative to its center.
type Shape = &'static [(i32, i32)];
const SQUARE: Shape = &[(-16, -16), (16, -16), (16, 16), (-16, 16)];
const DIAMOND: Shape = &[(0, -23), (23, 0), (0, 23), (-23, 0)];
const UP: Shape = &[(0, -22), (22, 16), (-22, 16)];
const DOWN: Shape = &[(0, 22), (22, -16), (-22, -16)];
/// Their number shares no factor with that of the colors, so that pairs repeat late.
const SHAPES: [Shape; 4] = [SQUARE, UP, DIAMOND, DOWN];
/// The approximate number of marks on a curve.
const MARKS: usize = 9;
/// The most curves whose legend fits above them; a longer legend is beside them,
const LEGEND_WITHIN: usize = 7;
/// in this much space.
const LEGEND_BESIDE: u32 = 1080;
/// The font family of all text.
const FONT: &str = "sans-serif";

/// A picture to draw.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The title.
    pub title: String,
    /// The conditions of the measurement, below the title.
    pub conditions: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its label.
    pub label: String,
    /// The time after 0, 1, 2, … RFCs, in seconds.
    pub seconds: Vec<f64>,
}

/// The picture can't be drawn.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ChartError(#[from] DrawingAreaErrorKind<io::Error>);

/// Draws a picture, and returns it as SVG.
pub fn draw(picture: &Picture) -> Result<String, ChartError> {
    let mut svg = String::new();
    draw_into(&mut svg, picture)?;
    let (fine, size) = (in_svg(SIZE.0 * FINE, SIZE.1 * FINE), in_svg(SIZE.0, SIZE.1));
    Ok(svg.replacen(&fine, &size, 1))
}

/// The SVG attributes for the size of the picture.
fn in_svg(width: u32, height: u32) -> String {
    format!("width=\"{width}\" height=\"{height}\" viewBox=")
}

type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;
type Key<'a> = ComposedElement<Place, SVGBackend<'a>, PathElement<Place>, Polygon<Place>>;
type Place = (i32, i32);
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_into(svg: &mut String, picture: &Picture) -> Drawn {
    let root = SVGBackend::with_string(svg, (SIZE.0 * FINE, SIZE.1 * FINE)).into_drawing_area();
    root.fill(&WHITE)?;
    let area = root.margin(40, 20, 20, 20);
    let area = area.titled(&picture.title, (FONT, 112))?;
    let area = area.margin(20, 0, 0, 0);
    let area = area.titled(&picture.conditions, (FONT, 76).into_font().color(&GRAY))?;
    if picture.curves.len() > LEGEND_WITHIN {
        let (left, right) = area.split_horizontally(SIZE.0 * FINE - LEGEND_BESIDE);
        draw_curves(&left, &picture.curves)?;
        draw_legend(&right, &picture.curves)?;
    } else {
        draw_curves(&area, &picture.curves)?;
    }
    root.present()
}

fn draw_curves(area: &Area<'_>, curves: &[Curve]) -> Drawn {
    let points = curves.iter().map(|curve| curve.seconds.len()).max();
    let count = u32::try_from(points.unwrap_or_default()).unwrap_or(u32::MAX);
    let right = count.saturating_sub(1).max(1);
    let all = curves.iter().flat_map(|curve| &curve.seconds);
    let highest = all.copied().fold(0.0, f64::max);
    let top = if highest > 0.0 { highest * 1.05 } else { 1.0 };

    let mut chart = ChartBuilder::on(area)
        .margin(40)
        .margin_right(100)
        .x_label_area_size(220)
        .y_label_area_size(320)
        .build_cartesian_2d(0..right, 0.0..top)?;
    // As many decimals as needed to distinguish the grid lines.
    let decimals = match top {
        20.0.. => 0,
        2.0.. => 1,
        0.2.. => 2,
        _ => 4,
    };
    chart
        .configure_mesh()
        .x_desc("number of RFCs fetched")
        .y_desc("cumulative time (s)")
        .y_label_formatter(&|seconds| format!("{seconds:.decimals$}"))
        .x_labels(11)
        .y_labels(9)
        .max_light_lines(1)
        .axis_style(GRAY.stroke_width(4))
        .bold_line_style(RGBColor(215, 215, 215).stroke_width(4))
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(20)
        .label_style((FONT, 72))
        .axis_desc_style((FONT, 84))
        .draw()?;

    let step = usize::try_from(right).unwrap_or(1).div_ceil(MARKS).max(1);
    for (place, curve) in curves.iter().enumerate() {
        let (color, shape) = (pick(&COLOURS, place, BLACK), pick(&SHAPES, place, SQUARE));
        let points = || (0..).zip(curve.seconds.iter().copied());
        let line = chart.draw_series(LineSeries::new(points(), color.stroke_width(8)))?;
        line.label(curve.label.clone())
            .legend(move |at| key(place, at));
        // Each curve has its marks at different places, and all have one at the end.
        let last = curve.seconds.len().saturating_sub(1);
        let first = 1 + place * step / curves.len().max(1);
        let is_marked = |at: usize| {
            let is_near_end = at + step.div_ceil(2) > last;
            at == last || (at >= first && (at - first).is_multiple_of(step) && !is_near_end)
        };
        let marked = points().enumerate().filter(|(at, _)| is_marked(*at));
        chart.draw_series(
            marked.map(|(_, point)| EmptyElement::at(point) + mark(shape, 0, color)),
        )?;
    }
    if curves.len() > LEGEND_WITHIN {
        return Ok(());
    }
    chart
        .configure_series_labels()
        // The curves rise from the lower left to the upper right.
        .position(SeriesLabelPosition::UpperLeft)
        .legend_area_size(160)
        .margin(48)
        .background_style(WHITE.mix(0.9))
        .border_style(GRAY.stroke_width(3))
        .label_font((FONT, 72))
        .draw()
}

/// A legend with its own area.
fn draw_legend(area: &Area<'_>, curves: &[Curve]) -> Drawn {
    for (place, (curve, y)) in curves.iter().zip((90..).step_by(90)).enumerate() {
        area.draw(&key(place, (0, y)))?;
        area.draw_text(
            &curve.label,
            &(FONT, 72).into_text_style(area),
            (160, y - 28),
        )?;
    }
    Ok(())
}

/// The sample of a curve's line before its label.
fn key<'a>(place: usize, at: (i32, i32)) -> Key<'a> {
    let (color, shape) = (pick(&COLOURS, place, BLACK), pick(&SHAPES, place, SQUARE));
    let line = PathElement::new([(0, 0), (120, 0)], color.stroke_width(8));
    EmptyElement::at(at) + line + mark(shape, 60, color)
}

/// One of them, starting over if there are too few.
fn pick<T: Copy>(all: &[T], place: usize, default: T) -> T {
    all.get(place % all.len()).copied().unwrap_or(default)
}

/// A mark to the right of a place.
fn mark(shape: Shape, right: i32, color: RGBColor) -> Polygon<(i32, i32)> {
    let corners = shape.iter().map(|(x, y)| (x + right, *y));
    Polygon::new(corners.collect::<Vec<_>>(), color.filled())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(curves: usize) -> Picture {
        let curve = |place: usize| Curve {
            label: format!("P{place} <&>"),
            seconds: (0..=50).map(|count| f64::from(count) * 0.1).collect(),
        };
        Picture {
            title: "Title".to_owned(),
            conditions: "6 peers, s/u = 25.6 ms".to_owned(),
            curves: (0..curves).map(curve).collect(),
        }
    }

    #[test]
    fn a_picture_says_what_it_shows() {
        let svg = draw(&picture(6)).unwrap();
        for text in [
            "Title",
            "6 peers, s/u = 25.6 ms",
            "number of RFCs fetched",
            "cumulative time (s)",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        for RGBColor(red, green, blue) in &COLOURS[..6] {
            // The curve, and the line in the legend.
            let line = format!(
                "<polyline fill=\"none\" opacity=\"1\" stroke=\"#{red:02X}{green:02X}{blue:02X}\""
            );
            assert_eq!(svg.matches(&line).count(), 2, "{line} in {svg}");
        }
        for place in 0..6 {
            assert!(svg.contains(&format!("P{place} &lt;&amp;&gt;")), "{svg}");
        }
    }

    #[test]
    fn the_legend_of_many_curves_is_beside_them() {
        let svg = draw(&picture(20)).unwrap();
        for place in 0..20 {
            assert_eq!(svg.matches(&format!("\nP{place} &lt;")).count(), 1, "{svg}");
        }
    }

    #[test]
    fn each_curve_has_a_different_mark_and_color() {
        let pairs: std::collections::HashSet<_> = (0..24)
            .map(|place| {
                let RGBColor(red, green, blue) = pick(&COLOURS, place, BLACK);
                (red, green, blue, pick(&SHAPES, place, SQUARE))
            })
            .collect();
        assert_eq!(pairs.len(), 24);
    }

    #[test]
    fn almost_empty_data_still_gives_a_picture() {
        for seconds in [vec![], vec![0.0], vec![0.0, 0.0], vec![0.0, 1e-6]] {
            let mut picture = picture(1);
            picture.curves[0].seconds = seconds;
            assert!(draw(&picture).unwrap().ends_with("</svg>\n"));
        }
        assert!(draw(&picture(0)).is_ok());
    }
}
