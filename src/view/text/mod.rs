//! The text view: a link told as a walkthrough, a line for each step of the protocol.
//!
//! Each line has the time since the link's start, the link, the phase, who speaks, what was said, and in words what it
//! means (`page` lays it out, `words` has the words). What repeats is folded: signs of life of a quiet link
//! (`quiet`), and connections of a reconnect storm (`story`). Nothing that the wire brought reaches the terminal
//! unescaped ([`super::terminal`]).

mod page;
mod quiet;
mod steps;
mod story;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use self::page::{Head, Page, Tone};
use self::quiet::{Ack, Quiet, Sign};
use self::story::{Peers, Stories, Told, Watch};
use self::words::{Part, Replids};
use super::output::Output;
use super::secrets::Secrets;
use super::time::Clock;
use crate::packet::Endpoint;
use crate::repl::event::{Event, Kind, Phase, Sink, Transfer};
use crate::resp::Command;
use crate::units::{LinkNumber, Offset, Timestamp};

/// How the text is to look.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether colours may be used. They say nothing that the words don't.
    pub color: bool,
    /// The terminal's columns; `None` where the output is no terminal: then no line is cut or broken.
    pub width: Option<usize>,
    /// How often `-v` was given: from 1 on, signs of life and connections that repeat are not folded.
    pub verbosity: u8,
    /// How many bytes of an argument are shown; `usize::MAX` for all.
    pub max_bytes: usize,
    /// Whether passwords are shown.
    pub show_secrets: bool,
    /// Whether ordinary clients are shown.
    pub clients: bool,
}

/// More arguments than this are shown only where all of each is.
const MAX_ARGUMENTS_SHOWN: usize = 1024;

/// What the view remembers of a link.
#[derive(Debug)]
struct LinkView {
    /// Where it takes part in a sync over two connections.
    transfer: Option<Transfer>,
    part: Part,
    quiet: Quiet,
    /// It was said that the replica is online.
    online: bool,
    ack: Option<Ack>,
    /// The master has sent something other than heartbeats since that ACK.
    news: bool,
    /// The offset of the stream's end, as far as it was shown.
    offset: Option<Offset>,
    /// There while the link has not reached the stream.
    watch: Option<Box<Watch>>,
}

/// A [`Sink`] that writes the walkthrough.
#[derive(Debug)]
pub struct Text {
    options: Options,
    output: Output,
    page: Page,
    clock: Clock,
    replids: Replids,
    links: HashMap<LinkNumber, LinkView, foldhash::fast::RandomState>,
    stories: Stories,
    now: Option<Timestamp>,
    /// A row being made.
    row: Vec<u8>,
}

impl Sink for Text {
    #[inline]
    fn event(&mut self, event: &Event<'_>) {
        match event.kind {
            Kind::Write { offset, db, command } => self.write(event, offset, db, command),
            _ => self.other(event),
        }
    }
}

impl Text {
    /// A view that has seen nothing.
    #[must_use]
    pub fn new(options: Options, output: Output) -> Self {
        let page = Page::new(options.color, options.width);
        Self {
            options,
            output,
            page,
            clock: Clock::default(),
            replids: Replids::default(),
            links: HashMap::default(),
            stories: Stories::default(),
            now: None,
            row: Vec::new(),
        }
    }

    /// Where the text goes.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// The same, to give on the lines that are whole without what is held back.
    pub fn output_mut(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Tells what is folded or held back, and gives everything on.
    pub fn flush(&mut self) {
        for link in self.numbers() {
            self.let_out(link);
            self.tell_quiet(link);
        }
        let told = self.stories.all();
        self.tell_stories(told);
        self.output.flush();
    }

    /// Nothing happens at the moment: tells what has been folded for a second or longer, by the capture's own time.
    pub fn tick(&mut self) {
        if let Some(now) = self.now {
            self.tick_at(now);
        }
    }

    /// The same where the present time is known although no packet has come.
    pub fn tick_at(&mut self, now: Timestamp) {
        for number in self.numbers() {
            let Some(link) = self.links.get_mut(&number) else { continue };
            let late = link.watch.as_ref().is_some_and(|watch| watch.is_late(Some(now)));
            let due = link.quiet.is_due(now.nanos);
            if late {
                self.let_out(number);
            }
            if due {
                self.tell_quiet(number);
            }
        }
        let told = self.stories.due(now, None);
        self.tell_stories(told);
        self.output.flush();
    }

    fn numbers(&self) -> Vec<LinkNumber> {
        let mut numbers: Vec<LinkNumber> = self.links.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// A command of the stream: the one line whose price matters.
    #[inline]
    fn write(&mut self, event: &Event<'_>, offset: Option<Offset>, db: Option<u32>, command: &Command<'_>) {
        match event.link.and_then(|number| self.links.get_mut(&number)) {
            Some(link) if link.quiet.is_empty() && link.watch.is_none() => {
                link.news = true;
                link.offset = offset;
            }
            _ => self.interrupt(event, offset),
        }
        let out = self.output.buffer();
        let mut column = self.page.begin(out, &Head::of(event));
        column += self.page.gutter(out, offset, Some(db));
        let room = self.page.room(column);
        let secrets = if self.options.show_secrets { Secrets::None } else { Secrets::of(command) };
        if secrets == Secrets::None {
            push_command(out, command, room, self.options.max_bytes);
        } else {
            let said = words::said(command, false, self.options.max_bytes, &mut self.replids);
            let from = out.len();
            out.extend_from_slice(said.as_bytes());
            if let Some(room) = room {
                super::terminal::trim(out, from, room);
            }
        }
        self.output.end_line();
    }

    /// What must be told before a command of the stream can be.
    #[cold]
    fn interrupt(&mut self, event: &Event<'_>, offset: Option<Offset>) {
        self.now = event.stamp.time.or(self.now);
        let Some(number) = event.link else { return };
        self.open(number);
        self.follow(number, event);
        self.tell_quiet(number);
        if let Some(link) = self.links.get_mut(&number) {
            link.quiet.stir();
            link.news = true;
            link.offset = offset;
        }
    }

    fn other(&mut self, event: &Event<'_>) {
        self.now = event.stamp.time.or(self.now);
        if event.phase == Phase::Client {
            if self.options.clients {
                self.client(event);
            }
            return;
        }
        let Some(number) = event.link else {
            return self.step(event);
        };
        match event.kind {
            Kind::Connect { replica, master, midstream, .. } => self.connect(number, event, replica, master, midstream),
            // What is told after the end of a link needs no state.
            Kind::Note { .. } | Kind::Close { .. } => {}
            _ => self.open(number),
        }
        self.follow(number, event);
        if self.fold(number, event) {
            return;
        }
        self.tell_quiet(number);
        if let Some(link) = self.links.get_mut(&number)
            && !matches!(event.kind, Kind::Heartbeat { .. } | Kind::Ack { .. })
        {
            link.quiet.stir();
        }
        self.step(event);
        if matches!(event.kind, Kind::Close { .. }) {
            self.close(number, event);
        }
    }

    fn open(&mut self, number: LinkNumber) {
        self.links.entry(number).or_insert_with(|| LinkView::new(None, true));
    }

    fn connect(&mut self, number: LinkNumber, event: &Event<'_>, replica: Endpoint, master: Endpoint, midstream: bool) {
        let watched = !midstream && self.options.verbosity == 0;
        let watch = watched.then(|| Box::new(self.stories.watch(replica, master, event.stamp)));
        self.links.insert(number, LinkView::new(watch, midstream));
    }

    /// Lets the link's story listen, as long as the link has not reached the stream.
    fn follow(&mut self, number: LinkNumber, event: &Event<'_>) {
        let Some(link) = self.links.get_mut(&number) else { return };
        let Some(watch) = &mut link.watch else { return };
        if self.stories.follow(watch, event) {
            return;
        }
        let peers = watch.peers();
        if watch.held().is_some() {
            self.let_out(number);
        }
        if matches!(event.kind, Kind::Ack { .. } | Kind::Write { .. } | Kind::GetAck { .. }) {
            let told = self.stories.tell(peers);
            self.tell_stories(told);
            self.stories.forget(peers);
        }
        // One that has taken another way may still be the first of many, unless it is not to be compared at all.
        let comparable = self.links.get(&number).and_then(|link| link.watch.as_ref());
        if comparable.is_some_and(|watch| watch.is_over(event))
            && let Some(link) = self.links.get_mut(&number)
        {
            link.watch = None;
        }
    }

    /// Shows the lines that were held back of a link, behind the counts of those that went before it.
    fn let_out(&mut self, number: LinkNumber) {
        let Some(watch) = self.links.get_mut(&number).and_then(|link| link.watch.as_mut()) else { return };
        let Some(lines) = watch.let_out() else { return };
        let peers: Peers = watch.peers();
        let told = self.stories.tell(peers);
        self.tell_stories(told);
        put(&mut self.output, &lines);
    }

    /// Takes a sign of life that says nothing new into the link's run of such. Gives false where it is to be told.
    fn fold(&mut self, number: LinkNumber, event: &Event<'_>) -> bool {
        let Some(link) = self.links.get_mut(&number) else { return false };
        let sign = match event.kind {
            Kind::Heartbeat { offset, bytes } => {
                link.offset = offset.or(link.offset);
                Sign::Heartbeat { offset, bytes }
            }
            Kind::Ack { offset, fack, lag, delay, rtt } => {
                let Ok(offset) = u64::try_from(offset).map(Offset) else { return false };
                let ack = Ack { offset, fack, lag, delay, rtt };
                let repeats = link.ack.is_some_and(|last| !link.news && ack.repeats(&last));
                if !repeats {
                    return false;
                }
                link.ack = Some(ack);
                Sign::Ack(ack)
            }
            _ => return false,
        };
        let held = link.watch.as_mut().is_some_and(|watch| watch.held().is_some());
        if self.options.verbosity > 0 || held {
            return false;
        }
        link.quiet.add(Head::of(event), event.stamp, sign);
        true
    }

    /// Tells the link's run of signs of life.
    fn tell_quiet(&mut self, number: LinkNumber) {
        let Some(link) = self.links.get_mut(&number) else { return };
        let Some((head, offset, text)) = link.quiet.take() else { return };
        if head.phase == Phase::Stream {
            self.page.stream_step(&mut self.row, &head, offset, Tone::Dim, &text);
        } else {
            self.page.step(&mut self.row, &head, &text, Tone::Dim, "");
        }
        self.put_row(Some(number));
    }

    fn close(&mut self, number: LinkNumber, event: &Event<'_>) {
        let Some(mut link) = self.links.remove(&number) else { return };
        let Some(mut watch) = link.watch.take() else { return };
        let peers = watch.peers();
        if self.stories.end(&watch, number, event) {
            let told = event.stamp.time.map(|now| self.stories.due(now, Some(peers)));
            self.tell_stories(told.unwrap_or_default());
        } else if let Some(lines) = watch.let_out() {
            let told = self.stories.tell(peers);
            self.tell_stories(told);
            put(&mut self.output, &lines);
        }
    }

    fn tell_stories(&mut self, told: Vec<Told>) {
        for Told { link, text } in told {
            let head =
                Head { frame: Default::default(), elapsed: None, link: Some(link), phase: Phase::Close, from: None };
            self.page.tale(&mut self.row, &head, &text);
            self.put_row(None);
        }
    }

    /// The row is whole: it goes out, or to the lines of a link that are held back.
    fn put_row(&mut self, link: Option<LinkNumber>) {
        let held = link
            .and_then(|number| self.links.get_mut(&number))
            .and_then(|link| link.watch.as_mut())
            .and_then(|watch| watch.held());
        match held {
            Some(held) => {
                held.extend_from_slice(&self.row);
                held.push(b'\n');
            }
            None => {
                self.row.push(b'\n');
                put(&mut self.output, &self.row);
            }
        }
        self.row.clear();
    }
}

impl LinkView {
    fn new(watch: Option<Box<Watch>>, online: bool) -> Self {
        Self {
            transfer: None,
            part: Part::All,
            quiet: Quiet::default(),
            online,
            ack: None,
            news: false,
            offset: None,
            watch,
        }
    }
}

/// Gives whole lines on.
fn put(output: &mut Output, lines: &[u8]) {
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        output.buffer().extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        output.end_line();
    }
}

/// Appends a command without secrets, cut to the room that there is.
#[inline]
fn push_command(out: &mut Vec<u8>, command: &Command<'_>, room: Option<usize>, max_bytes: usize) {
    let from = out.len();
    let limit = room.unwrap_or(usize::MAX);
    let most = if max_bytes == usize::MAX { usize::MAX } else { MAX_ARGUMENTS_SHOWN };
    let mut left = command.count();
    for argument in command.arguments().take(most) {
        if out.len() > from {
            out.push(b' ');
        }
        // Not much more than fits is ever looked at; a character has four bytes at most.
        let shown = argument.head.len().min(limit.saturating_mul(4));
        words::push_argument(out, &argument.head[..shown], argument.length, max_bytes);
        left -= 1;
        if out.len() - from > limit.saturating_mul(4) {
            break;
        }
    }
    if left > 0 && room.is_none() {
        out.extend_from_slice(format!(" ... ({left} more arguments)").as_bytes());
    }
    if let Some(room) = room {
        super::terminal::trim(out, from, room);
    }
}
