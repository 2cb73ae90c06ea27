//! Curves as an SVG picture, to be put into a report: cumulative time against number of RFCs.
//!
//! It knows no scenario. Curves that lie upon each other are told apart by their marks, which stand
//! at other places on each.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::*;

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (1080, 640);
/// How many steps a pixel is drawn with: plotters knows whole ones only, and a straight line would
/// be bent by them. All sizes below are in such steps.
const FINE: u32 = 4;
/// The size in such steps.
const CANVAS: (u32, u32) = (SIZE.0 * FINE, SIZE.1 * FINE);
/// The grey of the axes and of the grid.
const GREY: RGBColor = RGBColor(90, 90, 90);
/// Colors that differ also for those who can't tell red from green (Okabe and Ito).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
/// The corners of a mark, from its middle.
type Shape = &'static [(i32, i32)];
const SQUARE: Shape = &[(-16, -16), (16, -16), (16, 16), (-16, 16)];
const DIAMOND: Shape = &[(0, -23), (23, 0), (0, 23), (-23, 0)];
const UP: Shape = &[(0, -22), (22, 16), (-22, 16)];
const DOWN: Shape = &[(0, 22), (22, -16), (-22, -16)];
/// As many as share no factor with the colors, so that the pairs repeat late.
const SHAPES: [Shape; 4] = [SQUARE, UP, DIAMOND, DOWN];
/// How many marks a curve has, about.
const MARKS: usize = 9;
/// The room for the legend, beside the curves.
const LEGEND: u32 = 1320;
/// The family of all text.
const FONT: &str = "sans-serif";

/// A curve.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    /// What it is.
    pub(super) label: String,
    /// The time after 0, 1, 2, … RFCs, in seconds.
    pub(super) seconds: Vec<f64>,
}

type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a picture as SVG. `conditions`, below the title, says how it was measured.
pub(super) fn draw(title: &str, conditions: &str, curves: &[Curve]) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw_into(&mut svg, title, conditions, curves)?;
    // How the picture says how large it wants to be shown.
    let shown = |(width, height)| format!("width=\"{width}\" height=\"{height}\" viewBox=");
    Ok(svg.replacen(&shown(CANVAS), &shown(SIZE), 1))
}

fn draw_into(svg: &mut String, title: &str, conditions: &str, curves: &[Curve]) -> Drawn {
    let root = SVGBackend::with_string(svg, CANVAS).into_drawing_area();
    root.fill(&WHITE)?;
    let area = root.margin(40, 20, 20, 20);
    let area = area.titled(title, (FONT, 112))?;
    let area = area.margin(20, 0, 0, 0);
    let area = area.titled(conditions, (FONT, 76).into_font().color(&GREY))?;
    let (left, right) = area.split_horizontally(CANVAS.0 - LEGEND);
    draw_curves(&left, curves)?;
    draw_legend(&right, curves)?;
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
    chart
        .configure_mesh()
        .x_desc("number of RFCs fetched")
        .y_desc("cumulative time (s)")
        .x_labels(11)
        .y_labels(9)
        .max_light_lines(1)
        .axis_style(GREY.stroke_width(4))
        .bold_line_style(RGBColor(215, 215, 215).stroke_width(4))
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(20)
        .label_style((FONT, 72))
        .axis_desc_style((FONT, 84))
        .draw()?;

    let step = usize::try_from(right).unwrap_or(1).div_ceil(MARKS).max(1);
    for (place, curve) in curves.iter().enumerate() {
        let (color, shape) = look(place);
        let points = || (0..).zip(curve.seconds.iter().copied());
        chart.draw_series(LineSeries::new(points(), color.stroke_width(8)))?;
        // Each curve begins its marks elsewhere, and all have one at their end.
        let last = curve.seconds.len().saturating_sub(1);
        let first = 1 + place * step / curves.len().max(1);
        let is_marked = |at: usize| {
            let is_near_end = at + step.div_ceil(2) > last;
            at == last || (at >= first && (at - first).is_multiple_of(step) && !is_near_end)
        };
        let marked = points().enumerate().filter(|(at, _)| is_marked(*at));
        chart.draw_series(
            marked.map(|(_, point)| EmptyElement::at(point) + mark(shape, (0, 0), color)),
        )?;
    }
    Ok(())
}

/// A piece of each line, and what it is.
fn draw_legend(area: &Area<'_>, curves: &[Curve]) -> Drawn {
    for (place, (curve, y)) in curves.iter().zip((90..).step_by(90)).enumerate() {
        let (color, shape) = look(place);
        let line = [(0, y), (120, y)];
        area.draw(&PathElement::new(line, color.stroke_width(8)))?;
        area.draw(&mark(shape, (60, y), color))?;
        let style = (FONT, 72).into_text_style(area);
        area.draw_text(&curve.label, &style, (160, y - 28))?;
    }
    Ok(())
}

/// The color and the marks of a curve, which begin again where there are too few.
fn look(place: usize) -> (RGBColor, Shape) {
    let color = COLORS.get(place % COLORS.len()).copied();
    let shape = SHAPES.get(place % SHAPES.len()).copied();
    (color.unwrap_or(BLACK), shape.unwrap_or(SQUARE))
}

fn mark(shape: Shape, (x, y): (i32, i32), color: RGBColor) -> Polygon<(i32, i32)> {
    let corners = shape.iter().map(|(right, down)| (x + right, y + down));
    Polygon::new(corners.collect::<Vec<_>>(), color.filled())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: usize) -> String {
        let curve = |place: usize| Curve {
            label: format!("P{place} <&>"),
            seconds: (0..=50).map(|count| f64::from(count) * 0.1).collect(),
        };
        let curves: Vec<_> = (0..count).map(curve).collect();
        draw("Title", "6 peers, s/u = 25.6 ms", &curves).unwrap()
    }

    #[test]
    fn a_picture_says_what_it_shows() {
        let svg = drawn(6);
        for text in [
            "Title",
            "6 peers, s/u = 25.6 ms",
            "number of RFCs fetched",
            "cumulative time (s)",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        for RGBColor(red, green, blue) in &COLORS[..6] {
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
    fn the_legend_of_many_curves_stands_beside_them() {
        let svg = drawn(20);
        for place in 0..20 {
            assert_eq!(svg.matches(&format!("\nP{place} &lt;")).count(), 1, "{svg}");
        }
    }

    #[test]
    fn each_curve_has_another_mark_and_color() {
        let pairs: std::collections::HashSet<_> = (0..24)
            .map(|place| {
                let (RGBColor(red, green, blue), shape) = look(place);
                (red, green, blue, shape)
            })
            .collect();
        assert_eq!(pairs.len(), 24);
    }

    #[test]
    fn there_is_a_picture_where_there_is_hardly_anything_to_draw() {
        for seconds in [vec![], vec![0.0], vec![0.0, 0.0], vec![0.0, 1e-6]] {
            let label = String::new();
            let curve = Curve { label, seconds };
            assert!(draw("", "", &[curve]).unwrap().ends_with("</svg>\n"));
        }
        assert!(draw("", "", &[]).is_ok());
    }
}
