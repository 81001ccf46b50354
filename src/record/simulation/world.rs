//! A world for writers: machines with clocks of their own, and a storage behind a network that delays, loses and doubles.
//! Start with [`World`].

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use time::OffsetDateTime;

use crate::config::EnvironmentName;
use crate::record::{Address, Clock, Document, Memory, Put, RecordError, Revision, Storage};

/// The simulated time, the source of chance, and the writes that are under way without a sender that waits for them.
#[derive(Clone, Debug, Default)]
pub(super) struct World(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The time since the simulation began.
    now: Duration,
    chance: u64,
    /// The times at which sleepers wake up.
    alarms: Vec<Duration>,
    /// Writes that arrive later.
    late: Vec<Late>,
}

#[derive(Debug)]
struct Late {
    at: Duration,
    address: Address,
    content: Vec<u8>,
    read: Revision,
}

impl World {
    /// A world whose chances follow from a seed.
    pub(super) fn new(seed: u64) -> Self {
        let world = Self::default();
        world.state().chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        world
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Duration {
        self.state().now
    }

    /// A number below `limit`, by the xorshift generator.
    pub(super) fn below(&self, limit: u64) -> u64 {
        let chance = &mut self.state().chance;
        *chance ^= *chance << 13;
        *chance ^= *chance >> 7;
        *chance ^= *chance << 17;
        *chance % limit
    }

    /// Waits for simulated time.
    pub(super) fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        let (world, end) = (self.clone(), self.now() + pause);
        world.state().alarms.push(end);
        Box::pin(poll_fn(move |_| if world.now() >= end { Poll::Ready(()) } else { Poll::Pending }))
    }

    /// Goes on to the next instant at which something happens, `bound` at the latest, and lets late writes arrive.
    pub(super) fn advance(&self, bound: Option<Duration>, storage: &Memory) {
        let arrived = {
            let mut state = self.state();
            let now = state.now;
            state.alarms.retain(|alarm| *alarm > now);
            let late = state.late.iter().map(|late| late.at);
            let next = state.alarms.iter().copied().chain(late).chain(bound).min();
            state.now = next.unwrap_or(now).max(now);
            let now = state.now;
            let (arrived, late) =
                std::mem::take(&mut state.late).into_iter().partition(|late| late.at <= now);
            state.late = late;
            let arrived: Vec<Late> = arrived;
            arrived
        };
        for Late { address, content, read, .. } in arrived {
            let _ = storage.put(&address, &content, &read).now_or_never();
        }
    }
}

/// A machine's clock: its date is an hour wrong, and its steady time began at some time of its own.
#[derive(Clone, Debug)]
pub(super) struct MachineClock {
    pub(super) world: World,
    pub(super) began: Duration,
    pub(super) date: OffsetDateTime,
}

impl Clock for MachineClock {
    fn elapsed(&self) -> Duration {
        self.began + self.world.now()
    }

    fn now(&self) -> OffsetDateTime {
        self.date + self.world.now()
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        self.world.sleep(pause)
    }
}

/// A storage behind a network.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) world: World,
    pub(super) storage: Memory,
}

impl Network {
    async fn travel(&self) {
        let milliseconds = self.world.below(1500);
        self.world.sleep(Duration::from_millis(milliseconds)).await;
    }

    fn lost() -> RecordError {
        RecordError::File { action: "hear an answer".to_owned(), source: std::io::ErrorKind::TimedOut.into() }
    }
}

impl Storage for Network {
    fn check_writable(&self) -> BoxFuture<'_, Result<(), RecordError>> {
        self.storage.check_writable()
    }

    fn get<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Document, RecordError>> {
        Box::pin(async move {
            self.travel().await;
            let found = self.storage.get(address).await?;
            self.travel().await;
            if self.world.below(40) == 0 { Err(Self::lost()) } else { Ok(found) }
        })
    }

    /// Two writes of three go well. The answer of the others is lost, after or before the write is made; or the write
    /// arrives a second time, as of a client that sends again; or so late that its sender has given up.
    fn put<'a>(
        &'a self,
        address: &'a Address,
        content: &'a [u8],
        read: &'a Revision,
    ) -> BoxFuture<'a, Result<Put, RecordError>> {
        Box::pin(async move {
            self.travel().await;
            match self.world.below(20) {
                0 => return Err(Self::lost()),
                1 => {
                    let _ = self.storage.put(address, content, read).await?;
                    return Err(Self::lost());
                }
                2 | 3 => {
                    let _ = self.storage.put(address, content, read).await?;
                    self.travel().await;
                    return self.storage.put(address, content, read).await;
                }
                4 | 5 => {
                    let at = self.world.now() + Duration::from_millis(self.world.below(200_000));
                    let (address, content, read) = (address.clone(), content.to_owned(), read.clone());
                    self.world.state().late.push(Late { at, address, content, read });
                    self.travel().await;
                    return Err(Self::lost());
                }
                _ => {}
            }
            let answer = self.storage.put(address, content, read).await;
            self.travel().await;
            answer
        })
    }

    fn past<'a>(
        &'a self,
        project: &'a str,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<u64>, RecordError>> {
        self.storage.past(project, environment)
    }

    fn place(&self, address: &Address) -> String {
        self.storage.place(address)
    }
}
