//! Draws curves as an SVG chart for a report.
//!
//! Each curve has its markers at different places, so that overlapping curves can be told apart.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::*;

/// The width and height of the chart, in pixels.
const SIZE: (u32, u32) = (1080, 640);
/// The subpixels per pixel: plotters rounds to whole units, which would bend straight lines. All
/// sizes below are in subpixels.
const FINE: u32 = 4;
const CANVAS: (u32, u32) = (SIZE.0 * FINE, SIZE.1 * FINE);
/// The color of the axes and the conditions.
const GRAY: RGBColor = RGBColor(90, 90, 90);
/// The palette of Okabe and Ito, which is safe for color-blind readers.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];
/// The corners of a marker, relative to its center.
type Shape = &'static [(i32, i32)];
const SQUARE: Shape = &[(-16, -16), (16, -16), (16, 16), (-16, 16)];
const DIAMOND: Shape = &[(0, -23), (23, 0), (0, 23), (-23, 0)];
const UP: Shape = &[(0, -22), (22, 16), (-22, 16)];
const DOWN: Shape = &[(0, 22), (22, -16), (-22, -16)];
/// The numbers of shapes and colors are coprime, so pairs repeat only after 28 curves.
const SHAPES: [Shape; 4] = [SQUARE, UP, DIAMOND, DOWN];
/// The approximate number of markers on a curve.
const MARKERS: usize = 9;
/// The width of the legend.
const LEGEND: u32 = 1320;
const FONT: &str = "sans-serif";

/// The texts of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    /// The subtitle.
    pub(super) conditions: &'a str,
    /// What is along the horizontal axis,
    pub(super) x: &'a str,
    /// and along the vertical one.
    pub(super) y: &'a str,
}

#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub(super) label: String,
    /// From left to right.
    pub(super) points: Vec<(u32, f64)>,
}

type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a chart as SVG. Both axes begin at 0.
pub(super) fn draw(axes: &Axes<'_>, curves: &[Curve]) -> anyhow::Result<String> {
    let mut svg = String::new();
    draw_into(&mut svg, axes, curves)?;
    // The size attributes are in pixels; the view box stays in subpixels.
    let shown = |(width, height)| format!("width=\"{width}\" height=\"{height}\" viewBox=");
    Ok(svg.replacen(&shown(CANVAS), &shown(SIZE), 1))
}

fn draw_into(svg: &mut String, axes: &Axes<'_>, curves: &[Curve]) -> Drawn {
    let root = SVGBackend::with_string(svg, CANVAS).into_drawing_area();
    root.fill(&WHITE)?;
    let area = root.margin(40, 20, 20, 20);
    let area = area.titled(axes.title, (FONT, 112))?;
    let area = area.margin(20, 0, 0, 0);
    let area = area.titled(axes.conditions, (FONT, 76).into_font().color(&GRAY))?;
    let (left, right) = area.split_horizontally(CANVAS.0 - LEGEND);
    draw_curves(&left, axes, curves)?;
    draw_legend(&right, curves)?;
    root.present()
}

fn draw_curves(area: &Area<'_>, axes: &Axes<'_>, curves: &[Curve]) -> Drawn {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let right = all().map(|(x, _)| *x).max().unwrap_or_default().max(1);
    let highest = all().map(|(_, y)| *y).fold(0.0, f64::max);
    let top = if highest > 0.0 { highest * 1.05 } else { 1.0 };

    let mut chart = ChartBuilder::on(area)
        .margin(40)
        .margin_right(100)
        .x_label_area_size(220)
        .y_label_area_size(320)
        .build_cartesian_2d(0..right, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc(axes.x)
        .y_desc(axes.y)
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

    let longest = curves.iter().map(|curve| curve.points.len()).max();
    let step = longest.unwrap_or_default().saturating_sub(1);
    let step = step.div_ceil(MARKERS).max(1);
    for (place, curve) in curves.iter().enumerate() {
        let (color, shape) = look(place);
        let points = || curve.points.iter().copied();
        chart.draw_series(LineSeries::new(points(), color.stroke_width(8)))?;
        // Markers start at a different place on each curve, but not at its origin, and every curve
        // ends with one.
        let last = curve.points.len().saturating_sub(1);
        let begin = usize::from(curve.points.first().is_some_and(|(x, _)| *x == 0));
        let first = begin + place * step / curves.len().max(1);
        let is_marked = |at: usize| {
            let is_near_end = at + step.div_ceil(2) > last;
            at == last || (at >= first && (at - first).is_multiple_of(step) && !is_near_end)
        };
        let marked = points().enumerate().filter(|(at, _)| is_marked(*at));
        chart.draw_series(
            marked.map(|(_, point)| EmptyElement::at(point) + marker(shape, (0, 0), color)),
        )?;
    }
    Ok(())
}

/// Draws a sample of each line and its label.
fn draw_legend(area: &Area<'_>, curves: &[Curve]) -> Drawn {
    for (place, (curve, y)) in curves.iter().zip((90..).step_by(90)).enumerate() {
        let (color, shape) = look(place);
        let line = [(0, y), (120, y)];
        area.draw(&PathElement::new(line, color.stroke_width(8)))?;
        area.draw(&marker(shape, (60, y), color))?;
        let style = (FONT, 72).into_text_style(area);
        area.draw_text(&curve.label, &style, (160, y - 28))?;
    }
    Ok(())
}

/// The color and the markers of a curve; both repeat if there are many.
fn look(place: usize) -> (RGBColor, Shape) {
    let color = COLORS.get(place % COLORS.len()).copied();
    let shape = SHAPES.get(place % SHAPES.len()).copied();
    (color.unwrap_or(BLACK), shape.unwrap_or(SQUARE))
}

fn marker(shape: Shape, (x, y): (i32, i32), color: RGBColor) -> Polygon<(i32, i32)> {
    let corners = shape.iter().map(|(right, down)| (x + right, y + down));
    Polygon::new(corners.collect::<Vec<_>>(), color.filled())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: Axes<'_> = Axes {
        title: "Title",
        conditions: "6 peers, s/u = 25.6 ms",
        x: "number of RFCs fetched",
        y: "cumulative time (s)",
    };

    fn drawn(count: usize) -> String {
        let curve = |place: usize| Curve {
            label: format!("P{place} <&>"),
            points: (0..=50).map(|x| (x, f64::from(x) * 0.1)).collect(),
        };
        let curves: Vec<_> = (0..count).map(curve).collect();
        draw(&AXES, &curves).unwrap()
    }

    #[test]
    fn a_chart_has_titles_axes_curves_and_a_legend() {
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
    fn the_legend_has_room_for_20_curves() {
        let svg = drawn(20);
        for place in 0..20 {
            assert_eq!(svg.matches(&format!("\nP{place} &lt;")).count(), 1, "{svg}");
        }
    }

    #[test]
    fn each_curve_has_its_own_marker_and_color() {
        let pairs: std::collections::HashSet<_> = (0..24)
            .map(|place| {
                let (RGBColor(red, green, blue), shape) = look(place);
                (red, green, blue, shape)
            })
            .collect();
        assert_eq!(pairs.len(), 24);
    }

    #[test]
    fn empty_and_tiny_curves_can_be_drawn() {
        for points in [
            vec![],
            vec![(0, 0.0)],
            vec![(0, 0.0), (1, 0.0)],
            vec![(4, 1e-6)],
        ] {
            let label = String::new();
            let curve = Curve { label, points };
            assert!(draw(&AXES, &[curve]).unwrap().ends_with("</svg>\n"));
        }
        assert!(draw(&AXES, &[]).is_ok());
    }
}
