//! Scenes as TOML. Every key that is left out has the value of `Scene::mesh`; every wrong one is refused with its field, value
//! and range. `deploy/scenes` holds commented examples.

use super::clocks::{read_drift, read_host, read_node_clock};
use super::section::{Section, float};
use crate::config::wrong;
use toml::{Table, Value};
use wavewitness_fixtures::body::Build;
use wavewitness_fixtures::body::script::CHAIR_M;
use wavewitness_fixtures::channel::Width;
use wavewitness_fixtures::crowd::{Habits, crowd};
use wavewitness_fixtures::material::{MATERIALS, Material, by_name};
use wavewitness_fixtures::network::Network;
use wavewitness_fixtures::radio::Radio;
use wavewitness_fixtures::scene::{FrameKind, Mesh, Node, Outage, Station, Surfaces};
use wavewitness_fixtures::things::{Fan, Piece};
use wavewitness_fixtures::{Actor, Scene, Script};
use wavewitness_types::{ConfigError, Room};

/// Longest scene: ten days.
const LONGEST_S: i64 = 864_000;
const SOON_S: f64 = 1e6;

/// A scene and the seed that its file names.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneFile {
    /// The scene.
    pub scene: Scene,
    /// Its seed (1 if none is named).
    pub seed: u64,
}

impl SceneFile {
    /// Reads TOML.
    ///
    /// # Errors
    /// If it is not TOML, or a key is unknown, missing, of another kind or out of range.
    pub fn from_toml(text: &str) -> Result<SceneFile, ConfigError> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| {
            ConfigError::new("(file)", e.to_string().trim(), "a TOML document")
        })?;
        let mut top = Section::new("", &table);
        let name = top.text("name")?.unwrap_or("unnamed").to_owned();
        let seed = top.whole("seed", 0, i64::MAX)?.unwrap_or(1) as u64;
        let seconds = top.whole("duration_s", 1, LONGEST_S)?.ok_or_else(|| {
            top.error("duration_s", "(missing)", format_args!("a whole number, 1 to {LONGEST_S}"))
        })?;
        let mut scene = Scene::mesh(&name, seconds as u64);
        scene.furniture.clear();
        if let Some(section) = top.section("room")? {
            read_room(section, &mut scene)?;
        }
        let nodes = top.sections("node")?;
        if !nodes.is_empty() {
            scene.nodes = read_nodes(nodes, &scene.room)?;
        }
        if let Some(section) = top.section("drift")? {
            scene.drift = read_drift(section)?;
        }
        read_mesh(&mut top, &mut scene)?;
        for section in top.sections("station")? {
            scene.stations.push(read_station(section)?);
        }
        if let Some(section) = top.section("firmware")? {
            read_firmware(section, &mut scene)?;
        }
        if let Some(section) = top.section("radio")? {
            scene.radio = read_radio(section)?;
        }
        if let Some(section) = top.section("network")? {
            scene.network = read_network(section)?;
        }
        for section in top.sections("furniture")? {
            scene.pieces.push(read_piece(section)?);
        }
        for section in top.sections("fan")? {
            scene.fans.push(read_fan(section)?);
        }
        for section in top.sections("person")? {
            let actor = read_person(section, &scene)?;
            scene.actors.push(actor);
        }
        if let Some(section) = top.section("crowd")? {
            read_crowd(section, seed, &mut scene)?;
        }
        top.end()?;
        Ok(SceneFile { scene, seed })
    }
}

fn material(field: &str, value: &Value) -> Result<Material, ConfigError> {
    value.as_str().and_then(by_name).copied().ok_or_else(|| {
        let names: Vec<&str> = MATERIALS.iter().map(|m| m.name).collect();
        wrong(field, value, format_args!("one of: {}", names.join(", ")))
    })
}

/// A material's permittivity, or a number.
fn permittivity(field: &str, value: &Value) -> Result<f64, ConfigError> {
    match float(value) {
        Some(x) if (1.0..=1e9).contains(&x) => Ok(x),
        Some(_) => Err(wrong(field, value, "a relative permittivity, 1 to 1e9, or the name of a material")),
        None => material(field, value).map(|m| m.permittivity),
    }
}

fn read_room(mut s: Section<'_>, scene: &mut Scene) -> Result<(), ConfigError> {
    let room = Room {
        min_m: s.point("min_m")?.unwrap_or(scene.room.min_m),
        max_m: s.point("max_m")?.unwrap_or(scene.room.max_m),
    };
    if (0..3).any(|k| room.max_m[k] - room.min_m[k] < 0.5) {
        let size = format!("{:?} to {:?}", room.min_m, room.max_m);
        return Err(s.error("max_m", size, "at least 0.5 m beyond min_m on every axis"));
    }
    scene.room = room;
    let mut surfaces = Surfaces::FURNISHED;
    if let Some(value) = s.take("walls") {
        let field = s.field("walls");
        surfaces.walls = match value.as_array() {
            None => [permittivity(&field, value)?; 4],
            Some(list) => {
                let each = list.iter().map(|v| permittivity(&field, v)).collect::<Result<Vec<_>, _>>()?;
                <[f64; 4]>::try_from(each).map_err(|_| {
                    wrong(&field, value, "one material, or four: at least x, most x, least y, most y")
                })?
            }
        };
    }
    if let Some(value) = s.take("floor") {
        surfaces.floor = permittivity(&s.field("floor"), value)?;
    }
    if let Some(value) = s.take("ceiling") {
        surfaces.ceiling = permittivity(&s.field("ceiling"), value)?;
    }
    surfaces.order = s.whole("reflections", 0, 4)?.unwrap_or(2) as u32;
    scene.surfaces = surfaces;
    s.end()
}

fn read_nodes(sections: Vec<Section<'_>>, room: &Room) -> Result<Vec<Node>, ConfigError> {
    let mut nodes: Vec<Node> = Vec::new();
    for mut s in sections {
        let id =
            s.whole("id", 0, 255)?.ok_or_else(|| s.error("id", "(missing)", "a whole number, 0 to 255"))?;
        let place: [f64; 3] = s.place("position_m")?;
        if (0..3).any(|k| place[k] < room.min_m[k] || place[k] > room.max_m[k]) {
            return Err(s.error("position_m", format_args!("{place:?}"), "a place in the room"));
        }
        let mut node = Node::new(id as u8, place[0], place[1], place[2]);
        if nodes.iter().any(|n| n.id == node.id) {
            return Err(s.error("id", id, "each id once"));
        }
        if nodes.len() == 16 {
            return Err(s.error("id", id, "at most 16 nodes"));
        }
        node.mac = s.mac("mac")?.unwrap_or(node.mac);
        node.drift_ppm = s.whole("drift_ppm", -1000, 1000)?.map_or(node.drift_ppm, |x| x as i32);
        node.uptime_ns = s.nanos("uptime_s", 1e7, node.uptime_ns)?;
        for mut o in s.sections("outages")? {
            let outage = Outage {
                from_ns: (o.needed("from_s", 0.0, SOON_S)? * 1e9) as u64,
                until_ns: (o.needed("until_s", 0.0, SOON_S)? * 1e9) as u64,
                reboots: o.flag("reboots", false)?,
            };
            let before = node.outages.last().map_or(0, |last: &Outage| last.until_ns);
            if outage.from_ns < before || outage.until_ns <= outage.from_ns {
                return Err(o.error(
                    "until_s",
                    outage.until_ns as f64 * 1e-9,
                    "after from_s, and outages in order",
                ));
            }
            o.end()?;
            node.outages.push(outage);
        }
        read_node_clock(&mut s, &mut node)?;
        s.end()?;
        nodes.push(node);
    }
    nodes.sort_by_key(|n| n.id);
    Ok(nodes)
}

/// `mesh = false` for nodes that only listen.
fn read_mesh(top: &mut Section<'_>, scene: &mut Scene) -> Result<(), ConfigError> {
    match top.take("mesh") {
        None => {}
        Some(Value::Boolean(true)) => {}
        Some(Value::Boolean(false)) => {
            scene.mesh = None;
            scene.firmware.sync = false;
        }
        Some(value) => {
            let table = value.as_table().ok_or_else(|| wrong("mesh", value, "a section, true or false"))?;
            let mut s = Section::new("mesh", table);
            scene.mesh = Some(Mesh {
                cycle_ns: (s.or("cycle_ms", 5.0, 10_000.0, 50.0)? * 1e6).round() as u64,
                slot_jitter_ns: (s.or("slot_jitter_us", 0.0, 1000.0, 100.0)? * 1e3).round() as u32,
            });
            s.end()?;
        }
    }
    Ok(())
}

fn read_station(mut s: Section<'_>) -> Result<Station, ConfigError> {
    let station = Station {
        mac: s.mac("mac")?.ok_or_else(|| s.error("mac", "(missing)", "aa:bb:cc:dd:ee:ff"))?,
        position_m: s.place("position_m")?,
        first_beacon_ns: s.number("first_beacon_s", 0.0, SOON_S)?.map(|x| (x * 1e9) as u64),
        data_hz: s.or("data_hz", 0.0, 1000.0, 0.0)?,
        data_kind: match s.text("data_kind")?.unwrap_or("ht") {
            "legacy" => FrameKind::Legacy,
            "ht" => FrameKind::Ht,
            "ht-stbc" => FrameKind::HtStbc,
            other => return Err(s.error("data_kind", other, "one of: legacy, ht, ht-stbc")),
        },
        known: s.flag("known", true)?,
    };
    s.end()?;
    Ok(station)
}

fn read_firmware(mut s: Section<'_>, scene: &mut Scene) -> Result<(), ConfigError> {
    let f = &mut scene.firmware;
    f.transmitter_mac = s.flag("transmitter_mac", f.transmitter_mac)?;
    f.sync = s.flag("sync", f.sync)?;
    f.vitals = s.flag("vitals", f.vitals)?;
    f.send_gate_ns =
        (s.or("send_gate_ms", 0.0, 10_000.0, f.send_gate_ns as f64 * 1e-6)? * 1e6).round() as u64;
    s.end()
}

fn read_radio(mut s: Section<'_>) -> Result<Radio, ConfigError> {
    let d = Radio::default();
    let radio = Radio {
        channel_mhz: s.whole("channel_mhz", 2401, 7125)?.map_or(d.channel_mhz, |x| x as u16),
        width: match s.number("width_mhz", 20.0, 40.0)? {
            None => d.width,
            Some(mhz) => (Width::ALL.into_iter().find(|width| f64::from(width.mhz()) == mhz))
                .ok_or_else(|| s.error("width_mhz", mhz, "20 or 40"))?,
        },
        transmit_dbm: s.or("transmit_dbm", -40.0, 30.0, d.transmit_dbm)?,
        noise_floor_dbm: s.whole("noise_floor_dbm", -120, -40)?.map_or(d.noise_floor_dbm, |x| x as i8),
        error_vector_db: s.or("error_vector_db", -300.0, 0.0, d.error_vector_db)?,
        legacy_counts: s.or("legacy_counts", 1.0, 127.0, d.legacy_counts)?,
        ht_counts: s.or("ht_counts", 1.0, 127.0, d.ht_counts)?,
        stbc_counts: s.or("stbc_counts", 1.0, 127.0, d.stbc_counts)?,
        gain_step_db: s.or("gain_step_db", 0.0, 12.0, d.gain_step_db)?,
        gain_jitter_db: s.or("gain_jitter_db", 0.0, 6.0, d.gain_jitter_db)?,
        timing_jitter_ns: s.or("timing_jitter_ns", 0.0, 1000.0, d.timing_jitter_ns)?,
        timing_drift_ns: s.or("timing_drift_ns", 0.0, 1000.0, d.timing_drift_ns)?,
        residual_offset_hz: s.or("residual_offset_hz", 0.0, 20_000.0, d.residual_offset_hz)?,
        rssi_jitter_db: s.or("rssi_jitter_db", 0.0, 10.0, d.rssi_jitter_db)?,
        least_snr_db: s.or("least_snr_db", -10.0, 40.0, d.least_snr_db)?,
    };
    s.end()?;
    Ok(radio)
}

fn read_network(mut s: Section<'_>) -> Result<Network, ConfigError> {
    let d = Network::default();
    let network = Network {
        delay_ns: (s.or("delay_ms", 0.0, 1000.0, d.delay_ns as f64 * 1e-6)? * 1e6).round() as u64,
        jitter_ns: (s.or("jitter_ms", 0.0, 1000.0, d.jitter_ns as f64 * 1e-6)? * 1e6).round() as u64,
        loss: s.or("loss", 0.0, 1.0, d.loss)?,
        burst_begin: s.or("burst_begin", 0.0, 1.0, d.burst_begin)?,
        burst_mean: s.or("burst_mean", 1.0, 10_000.0, d.burst_mean)?,
        duplicate: s.or("duplicate", 0.0, 1.0, d.duplicate)?,
        overtaken: s.or("overtaken", 0.0, 1.0, d.overtaken)?,
        host: read_host(&mut s)?,
    };
    s.end()?;
    Ok(network)
}

fn read_piece(mut s: Section<'_>) -> Result<Piece, ConfigError> {
    let field = s.field("material");
    let material = match s.take("material") {
        Some(value) => material(&field, value)?,
        None => return Err(s.error("material", "(missing)", "the name of a material")),
    };
    let piece = Piece { material, min_m: s.place("min_m")?, max_m: s.place("max_m")? };
    if (0..3).any(|k| piece.max_m[k] <= piece.min_m[k]) {
        let size = format!("{:?} to {:?}", piece.min_m, piece.max_m);
        return Err(s.error("max_m", size, "beyond min_m on every axis"));
    }
    s.end()?;
    Ok(piece)
}

fn read_fan(mut s: Section<'_>) -> Result<Fan, ConfigError> {
    let hub_m = s.place("hub_m")?;
    let d = Fan::stand(hub_m, 0.0);
    let fan = Fan {
        ceiling: match s.text("kind")?.unwrap_or("stand") {
            "stand" => false,
            "ceiling" => true,
            other => return Err(s.error("kind", other, "one of: stand, ceiling")),
        },
        heading: s.or("heading_deg", -360.0, 360.0, 0.0)?.to_radians(),
        swing: s.or("swing_deg", 0.0, 90.0, 0.0)?.to_radians(),
        swing_s: s.or("swing_s", 1.0, 600.0, d.swing_s)?,
        turns_hz: s.or("turns_hz", 0.0, 100.0, d.turns_hz)?,
        blades: s.whole("blades", 1, i64::from(Fan::MOST_BLADES))?.map_or(d.blades, |x| x as u32),
        radius_m: s.or("radius_m", 0.01, 2.0, d.radius_m)?,
        blade_rcs_m2: s.or("blade_rcs_m2", 0.0, 10.0, d.blade_rcs_m2)?,
        from_ns: s.nanos("from_s", SOON_S, d.from_ns)?,
        until_ns: s.nanos("until_s", SOON_S, d.until_ns)?,
        hub_m,
    };
    s.end()?;
    Ok(fan)
}

fn read_person(mut s: Section<'_>, scene: &Scene) -> Result<Actor, ConfigError> {
    let next = scene.actors.iter().map(|a| a.id + 1).max().unwrap_or(1);
    let id = s.whole("id", 1, 1_000_000)?.map_or(next, |x| x as u32);
    if scene.actors.iter().any(|a| a.id == id) {
        return Err(s.error("id", id, "each id once"));
    }
    let build = Build {
        stature_m: s.or("stature_m", 0.8, 2.3, 1.75)?,
        girth: s.or("girth", 0.5, 2.0, 1.0)?,
        legs: s.or("legs", 0.9, 1.1, 1.0)?,
    };
    let [x, y] = s.place("start_m")?;
    let inside = |p: [f64; 2]| (0..2).all(|k| p[k] >= scene.room.min_m[k] && p[k] <= scene.room.max_m[k]);
    if !inside([x, y]) {
        return Err(s.error("start_m", format_args!("{:?}", [x, y]), "a place in the room"));
    }
    let heading = s.or("heading_deg", -360.0, 360.0, 0.0)?.to_radians();
    let (step, swing) = (s.or("step", 0.5, 1.5, 1.0)?, s.or("arm_swing", 0.0, 3.0, 1.0)?);
    let mut script = Script::new(build, x, y, heading).manner(step, swing);
    for doing in s.sections("script")? {
        script = read_doing(doing, script, &inside)?;
    }
    let mut actor = Actor::new(id, script);
    actor.breathing_mm = s.or("breathing_mm", 0.0, 30.0, actor.breathing_mm)?;
    actor.breathing_hz = s.or("breathing_per_min", 0.0, 60.0, 60.0 * actor.breathing_hz)? / 60.0;
    actor.sway_mm = s.or("sway_mm", 0.0, 50.0, actor.sway_mm)?;
    s.end()?;
    Ok(actor)
}

/// One entry of a script: `{ walk = [x, y], speed_m_s = 1.0 }`, `{ stand = 5 }`, …
fn read_doing(
    mut s: Section<'_>,
    script: Script,
    inside: &dyn Fn([f64; 2]) -> bool,
) -> Result<Script, ConfigError> {
    const LONG_S: f64 = 864_000.0;
    let walk: Option<[f64; 2]> = s.point("walk")?;
    let speed = s.or("speed_m_s", 0.2, 2.5, 1.0)?;
    let turn = s.number("turn", -360.0, 360.0)?;
    let [stand, sit, lie, fall, wave, away] =
        [("stand"), ("sit"), ("lie"), ("fall"), ("wave"), ("away")].map(|key| s.number(key, 0.0, LONG_S));
    let seat_m = s.or("seat_m", 0.3, 0.7, CHAIR_M)?;
    let surface_m = s.or("surface_m", 0.0, 0.7, 0.0)?;
    let backwards = s.flag("backwards", false)?;
    let (place, one) = (s.field("walk"), s.field(""));
    let given = (walk, turn, stand?, sit?, lie?, fall?, wave?, away?);
    s.end()?;
    Ok(match given {
        (Some([x, y]), None, None, None, None, None, None, None) => {
            if !inside([x, y]) {
                return Err(ConfigError::new(&place, format_args!("{:?}", [x, y]), "a place in the room"));
            }
            script.walk(x, y, speed)
        }
        (None, Some(degrees), None, None, None, None, None, None) => script.turn(degrees.to_radians()),
        (None, None, Some(t), None, None, None, None, None) => script.stand(t),
        (None, None, None, Some(t), None, None, None, None) => script.sit(t, seat_m),
        (None, None, None, None, Some(t), None, None, None) => script.lie(t, surface_m),
        (None, None, None, None, None, Some(t), None, None) => script.fall(backwards, t),
        (None, None, None, None, None, None, Some(t), None) => script.wave(t),
        (None, None, None, None, None, None, None, Some(t)) => script.away(t),
        _ => {
            let known = "exactly one of: walk, turn, stand, sit, lie, fall, wave, away";
            return Err(ConfigError::new(one.trim_end_matches('.'), "(an entry)", known));
        }
    })
}

fn read_crowd(mut s: Section<'_>, seed: u64, scene: &mut Scene) -> Result<(), ConfigError> {
    let people =
        s.whole("people", 0, 8)?.ok_or_else(|| s.error("people", "(missing)", "a whole number, 0 to 8"))?;
    let habits = Habits {
        sit: s.flag("sit", false)?,
        lie: s.flag("lie", false)?,
        wave: s.flag("wave", false)?,
        leave: s.flag("leave", false)?,
        enter_after_s: s.whole("enter_after_s", 0, LONGEST_S)?.unwrap_or(0) as u32,
    };
    let seed = s.whole("seed", 0, i64::MAX)?.map_or(seed, |x| x as u64);
    if scene.actors.iter().any(|a| i64::from(a.id) <= people) {
        return Err(s.error("people", people, "ids from 1 that no [[person]] has"));
    }
    s.end()?;
    let people = crowd(scene, seed, people as u32, habits);
    scene.actors.extend(people);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavewitness_fixtures::Simulation;
    use wavewitness_fixtures::body::Posture;
    use wavewitness_fixtures::clock::HostClock;
    use wavewitness_fixtures::drift::Drift;

    fn refusal(text: &str) -> String {
        SceneFile::from_toml(&format!("duration_s = 10\n{text}")).unwrap_err().to_string()
    }

    #[test]
    fn refusals_name_field_value_and_range() {
        assert!(SceneFile::from_toml("").unwrap_err().to_string().starts_with("duration_s = (missing)"));
        assert_eq!(
            refusal("[radio]\nht_counts = 300"),
            "radio.ht_counts = 300: allowed is a number, 1 to 127"
        );
        assert!(refusal("[room]\nwalls = \"cheese\"").contains("allowed is one of: concrete, brick"));
        assert!(refusal("[room]\nmax_m = [1, 0.2, 3]").contains("at least 0.5 m"));
        assert!(refusal("[[node]]\nid = 1\nposition_m = [1, 1, 9]").starts_with("node[0].position_m"));
        assert!(refusal("[[node]]\nid = 1").starts_with("node[0].position_m = (missing)"));
        assert!(
            refusal("[[person]]\nstart_m = [1, 1]\nscript = [{ fly = 3 }]")
                .contains("script[0].fly = (unknown key)")
        );
        assert!(
            refusal("[[person]]\nstart_m = [1, 1]\nscript = [{ sit = 3, lie = 1 }]")
                .contains("exactly one of")
        );
        assert!(
            refusal("[[person]]\nstart_m = [1, 1]\nscript = [{ walk = [9, 9] }]")
                .contains("a place in the room")
        );
        assert!(refusal("[[persons]]\nx = 1").starts_with("persons = (unknown key)"));
        assert!(refusal("[network]\nloss = nan").starts_with("network.loss"));
        assert!(
            refusal("[[node]]\nid = 1\nposition_m = [1, 1, 1]\nsync_losses = [{ from_s = 3, until_s = 2 }]")
                .contains("sync_losses[0].until_s = 2: allowed is after from_s")
        );
        assert!(refusal("[drift]\nperiod_s = 0").starts_with("drift.period_s"));
    }

    #[test]
    fn a_scene_in_toml_is_the_scene_in_code() {
        let text = r#"
            name = "test"
            duration_s = 30
            seed = 9
            [room]
            walls = [4, 4, 4, 4]
            floor = "concrete"
            ceiling = "concrete"
            [[person]]
            start_m = [1.5, 1.5]
            script = [{ walk = [4, 3], speed_m_s = 1.2 }, { sit = 5 }, { fall = 5, backwards = true }]
            [[furniture]]
            material = "wood"
            min_m = [2, 4, 0]
            max_m = [3, 4.6, 0.8]
            [drift]
            phase_rad = 0.2
            [network]
            host_stall_every_s = 9
            host_stall_ms = 40
        "#;
        let file = SceneFile::from_toml(text).unwrap();
        let mut scene = Scene::mesh("test", 30);
        scene.furniture.clear();
        scene.surfaces = Surfaces { walls: [4.0; 4], floor: 5.24, ceiling: 5.24, order: 2 };
        let script =
            Script::new(Build::ADULT, 1.5, 1.5, 0.0).walk(4.0, 3.0, 1.2).sit(5.0, CHAIR_M).fall(true, 5.0);
        scene.actors = vec![Actor::new(1, script)];
        scene.drift = Drift { phase_rad: 0.2, ..Drift::NONE };
        scene.network.host =
            HostClock { stall_every_ns: 9_000_000_000, stall_ns: 40_000_000, ..HostClock::default() };
        let material = *by_name("wood").unwrap();
        scene.pieces = vec![Piece { material, min_m: [2.0, 4.0, 0.0], max_m: [3.0, 4.6, 0.8] }];
        assert_eq!(file, SceneFile { scene, seed: 9 });
    }

    #[test]
    fn every_example_is_read_and_runs() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/scenes");
        let (mut count, mut fallen) = (0, false);
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let file = SceneFile::from_toml(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(Simulation::new(&file.scene, file.seed).take(300).count() == 300, "{}", path.display());
            for s in 0..file.scene.duration_ns / 1_000_000_000 {
                let poses = file.scene.truth_poses(file.scene.start.plus_nanos(s * 1_000_000_000));
                fallen |= poses.iter().any(|p| p.posture == Posture::Lying);
            }
            count += 1;
        }
        assert!(count >= 4 && fallen);
    }
}
