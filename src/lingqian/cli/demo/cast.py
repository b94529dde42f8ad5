"""The cast: who lives in the demo world, in which groups, and what they like to say (角色表).

All names are made up. The three in `STARS` belong to whoever has the page open; nobody else acts
for them.
"""

from typing import Final, NamedTuple


class Group(NamedTuple):
    """A conversation: its id, its title, and the external ids of its members."""

    conversation_id: str
    title: str
    members: tuple[str, ...]


class Star(NamedTuple):
    """A person the page's visitor plays: external id, nickname, and who that is in English."""

    external_id: str
    nickname: str
    en: str


STARS: Final = (
    Star("star-ming", "小明", "Xiaoming, a student"),
    Star("star-apo", "阿婆", "Apo, a grandmother"),
    Star("star-lina", "Lina", "Lina, a colleague"),
)

_FAMILY: Final = "外公 妈妈 爸爸 舅舅 二姨 表妹 堂哥 姑妈"
_FRIENDS: Final = "阿杰 大鹏 小雨 阿文 胖虎 思思 老周 可乐 豆豆 阿May"
_CLASS: Final = (
    "王老师 子涵妈 浩然爸 欣怡妈 宇轩爸 诗涵妈 梓睿爸 "
    "佳琪妈 俊杰爸 雨桐妈 一诺爸 思远妈 小满妈 天天爸"
)
_OFFICE: Final = (
    "陈总 张伟 王芳 李楠 刘洋 赵敏 孙磊 周捷 吴静 郑凯 冯雪 蒋涛 沈悦 韩冰 "
    "杨帆 朱琳 秦月 许诺 何平 吕鑫 施琪 孔立 曹盈 严浩 华子 金鑫 魏然 陶陶 "
    "姜山 戚雯 谢宁 邹倩 柏松 窦豆 章鱼 云朵 苏打 潘达 葛雅 范范 彭湃 鲁一 "
    "韦笑 马克 苗青 凤凰 花卷 方圆 俞快 任意 袁宝 柳絮 丰收"
)

OFFICE: Final = "office"
#: What the page offers to send: a packet of fifty.
SHARES: Final = 50


def _ids(prefix: str, names: str) -> dict[str, str]:
    return {f"{prefix}-{place:02d}": name for place, name in enumerate(names.split(), 1)}


_ROOMS: Final = {
    "family": ("一家人", _ids("family", _FAMILY)),
    "friends": ("周末球友", _ids("friend", _FRIENDS)),
    "class": ("三年二班家长群", _ids("parent", _CLASS)),
    OFFICE: ("公司年会", _ids("office", _OFFICE)),
}

#: External id → nickname, of everybody.
PEOPLE: Final[dict[str, str]] = {
    **{star.external_id: star.nickname for star in STARS},
    **{key: name for _, people in _ROOMS.values() for key, name in people.items()},
}

GROUPS: Final = tuple(
    Group(
        room,
        title,
        (*people, *(star.external_id for star in STARS)) if room == OFFICE else tuple(people),
    )
    for room, (title, people) in _ROOMS.items()
)

#: Who buys coins in the live room, and who is given them.
FANS: Final = _ids("fan", "小鹿 阿星 糖豆 老樊 木木 南风 石榴 灯灯 阿粤 小樱 大橘 竹子")
STREAMERS: Final = _ids("streamer", "歌手青禾 棋手阿岚")
LIVE_ROOM: Final = "直播间"

GREETINGS: Final = (
    "恭喜发财，大吉大利",
    "新年快乐",
    "生日快乐",
    "辛苦啦，喝杯奶茶",
    "周末愉快",
    "好运连连",
    "步步高升",
    "身体健康",
    "早点休息",
    "金榜题名",
)
PASSPHRASES: Final = ("万事如意", "年年有余", "平安喜乐", "天天向上", "心想事成")
NOTES: Final = ("午饭AA", "上次的车费", "谢谢帮忙", "班费", "球场费")

assert len(PEOPLE) == len(STARS) + sum(len(people) for _, people in _ROOMS.values())
assert len(_ROOMS[OFFICE][1]) >= SHARES, "a packet of fifty must find fifty people"
