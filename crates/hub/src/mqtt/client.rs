//! The connection to the broker: connects, subscribes, sends what the session says, and connects again.

use super::{MqttConfig, Publication, Session, View};
use crate::clock::Clock;
use crate::status::Status;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v5::LastWill;
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, PublishOptions, Transport};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Publications that wait for the broker; beyond them they are left out and counted.
const QUEUE: usize = 512;
/// The broker takes a silent hub for dead after one and a half of these.
const KEEP_ALIVE_S: u16 = 10;
/// Longest message that the broker may send, bytes: several times the discovery message of the largest hub.
const LONGEST: u32 = 1 << 20;
/// Between two attempts to connect.
const RETRY: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];

/// Starts the connection. It lasts until `stop` becomes true; a broker that is away stops nothing else.
///
/// # Errors
/// If the password or the store of certificates can't be read.
pub fn start(
    config: MqttConfig,
    status: Status,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, String> {
    let options = options(&config)?;
    Ok(tokio::spawn(run(config, options, status, clock, stop)))
}

fn options(config: &MqttConfig) -> Result<MqttOptions, String> {
    let id = format!("wavewitness-{}", config.device_id());
    let mut options = MqttOptions::new(id, (config.host.as_str(), config.port));
    options.set_keep_alive(KEEP_ALIVE_S);
    options.set_max_packet_size(Some(LONGEST));
    let farewell = Session::new(config.clone()).farewell();
    options.set_last_will(LastWill::new(
        farewell.topic,
        farewell.payload,
        QoS::AtLeastOnce,
        farewell.retain,
        None,
    ));
    match (&config.username, config.password()?) {
        (Some(user), Some(password)) => {
            options.set_credentials(user, password);
        }
        (Some(user), None) => {
            options.set_username(user);
        }
        (None, Some(_)) => return Err("mqtt.username: (missing), but there is a password".to_owned()),
        (None, None) => {}
    }
    if config.tls {
        let transport = Transport::try_tls_with_default_config()
            .map_err(|e| format!("mqtt.url: no certificates to check a broker by: {e}"))?;
        options.set_transport(transport);
    }
    Ok(options)
}

async fn run(
    config: MqttConfig,
    options: MqttOptions,
    status: Status,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let (client, mut connection) = AsyncClient::builder(options).capacity(QUEUE).build();
    let broker = format!("{}:{}", config.host, config.port);
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / config.rate_hz));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut session = Session::new(config);
    let (mut connected, mut failures) = (false, 0usize);
    loop {
        tokio::select! {
            event = connection.poll() => match event {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                    tracing::info!("MQTT: connected to {broker}");
                    (connected, failures) = (true, 0);
                    session.forget();
                    for topic in session.subscriptions() {
                        if client.try_subscribe(topic, QoS::AtLeastOnce).is_err() {
                            tracing::warn!("MQTT: the queue is full, a subscription is left out");
                        }
                    }
                }
                Ok(Event::Incoming(Incoming::Publish(message))) => {
                    let topic = String::from_utf8_lossy(&message.topic);
                    if let Err(e) = session.received(&topic, &message.payload) {
                        tracing::warn!("MQTT: {e}");
                    }
                }
                Ok(_) => {}
                Err(e) => {
                    if connected || failures == 0 {
                        tracing::warn!("MQTT: no connection to {broker}: {e}");
                    }
                    connected = false;
                    let pause = RETRY[failures.min(RETRY.len() - 1)];
                    failures += 1;
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = stopping(&mut stop) => return,
                    }
                }
            },
            _ = tick.tick() => {
                if connected && let Some(view) = View::of(&status.snapshot(), clock.now()) {
                    let left_out =
                        session.tick(&view).iter().filter(|publication| !send(&client, publication)).count();
                    if left_out > 0 {
                        tracing::warn!("MQTT: {broker} is slow, {left_out} messages are left out");
                    }
                }
            }
            () = stopping(&mut stop) => break,
        }
    }
    if connected && send(&client, &session.farewell()) {
        let _ = client.disconnect().await;
        // Until the farewell is through and the connection closed, or the broker takes too long.
        let through = async { while connection.poll().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), through).await;
    }
}

fn send(client: &AsyncClient, publication: &Publication) -> bool {
    let Publication { topic, payload, retain } = publication;
    let options = PublishOptions::new(QoS::AtLeastOnce).retain(*retain);
    client.try_publish(topic.as_str(), payload.clone(), options).is_ok()
}

async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}
