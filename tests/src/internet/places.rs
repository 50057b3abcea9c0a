//! Opens the places of the map in the namespace of the thread that asks for it.

use super::{
    authority::Authority,
    heard::Hearing,
    map::{self, BRIDGE, GROUPS, PLACES, Place, Side, Speaks},
    serve::{Listener, serve},
    sites::Behind,
};
use std::{
    net::{TcpListener, UdpSocket},
    sync::Arc,
    thread,
};

/// Opens every place of a side and serves it from then on.
pub(super) fn open(side: Side, hearing: &Hearing, authority: &Arc<Authority>, behind: &Behind) {
    for place in PLACES.iter().filter(|place| place.side == side) {
        match place.speaks {
            Speaks::Udp | Speaks::Dns => datagrams(place, hearing),
            Speaks::Tcp | Speaks::Http | Speaks::Tls | Speaks::DnsTcp => {
                let listener =
                    TcpListener::bind(map::address(place)).unwrap_or_else(|error| panic!("{}: {error}", place.at));
                let served = Listener {
                    place: *place,
                    hearing: hearing.clone(),
                    authority: Arc::clone(authority),
                    behind: behind.clone(),
                };
                thread::spawn(move || serve(&served, &listener));
            }
        }
    }
}

fn datagrams(place: &Place, hearing: &Hearing) {
    let socket = UdpSocket::bind(map::address(place)).unwrap_or_else(|error| panic!("{}: {error}", place.at));
    if place.name == "multicast" {
        for (_, group) in GROUPS.iter().filter(|(_, group)| group.is_multicast()) {
            socket.join_multicast_v4(group, &BRIDGE).expect("the bridge");
        }
    }
    let (place, hearing) = (*place, hearing.clone());
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let number = hearing.begin(place.name, from.ip());
            hearing.add(number, &buffer[..count]);
            if place.speaks == Speaks::Dns
                && let Some((name, answer)) = super::dns::answer(&buffer[..count])
            {
                // The labels of the question are not the name as people write it.
                hearing.add(number, format!(" {name}").as_bytes());
                let _ = socket.send_to(&answer, from);
            }
        }
    });
}
